//! `field_value_factor`: the value of a field, modified.

use std::sync::Arc;

use serde::Deserialize;
use tantivy::DocId;

use crate::mapping::FieldDef;
use crate::search::docs::{ColumnValues, numeric_column};
use crate::search::query::{Context, SegmentView};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modifier {
    #[default]
    None,
    Log,
    Log1p,
    Log2p,
    Ln,
    Ln1p,
    Ln2p,
    Square,
    Sqrt,
    Reciprocal,
}

impl Modifier {
    fn apply(self, value: f64) -> f64 {
        match self {
            Modifier::None => value,
            Modifier::Log => value.log10(),
            Modifier::Log1p => (value + 1.0).log10(),
            Modifier::Log2p => (value + 2.0).log10(),
            Modifier::Ln => value.ln(),
            Modifier::Ln1p => value.ln_1p(),
            Modifier::Ln2p => (value + 1.0).ln_1p(),
            Modifier::Square => value * value,
            Modifier::Sqrt => value.sqrt(),
            Modifier::Reciprocal => 1.0 / value,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldValueFactor {
    pub field: String,
    #[serde(default = "crate::search::ops::one")]
    pub factor: f32,
    #[serde(default)]
    pub modifier: Modifier,
    #[serde(default)]
    pub missing: Option<f64>,
}

pub struct BoundFactor {
    spec: FieldValueFactor,
    def: Option<FieldDef>,
}

pub struct SegmentFactor {
    spec: FieldValueFactor,
    column: Option<Arc<ColumnValues>>,
    scale: f64,
    values: Vec<f64>,
}

impl FieldValueFactor {
    /// Checks all values beforehand: a value that makes no score fails the search on this shard, as in OpenSearch.
    pub fn bind(&self, context: &Context<'_>) -> Result<BoundFactor> {
        let def = context.field(&self.field).map(|def| (**def).clone());
        if def.is_none() && self.missing.is_none() {
            return Err(Error::query_shard(format!(
                "Unable to find a field mapper for field [{}]. No 'missing' value defined.",
                self.field
            )));
        }
        let bound = BoundFactor { spec: self.clone(), def };
        for segment in context.segments() {
            bound.check(&segment)?;
        }
        Ok(bound)
    }
}

impl BoundFactor {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentFactor> {
        let (column, scale) = match &self.def {
            Some(def) => (numeric_column(segment.segment, def)?, def.scaling_factor),
            None => (None, 1.0),
        };
        Ok(SegmentFactor { spec: self.spec.clone(), column, scale, values: Vec::new() })
    }

    /// Whether the smallest value of the segment already makes a score below zero is known from the column alone.
    fn check(&self, segment: &SegmentView<'_>) -> Result<()> {
        let opened = self.open(segment)?;
        let Some(column) = &opened.column else { return Ok(()) };
        let smallest = match column.as_ref() {
            ColumnValues::I64(column) => column.min_value() as f64,
            ColumnValues::U64(column) => column.min_value() as f64,
            ColumnValues::F64(column) => column.min_value(),
            ColumnValues::Bool(_) => 0.0,
        } / opened.scale;
        if smallest < 0.0 && self.spec.modifier == Modifier::None && self.spec.factor > 0.0 {
            return Err(Error::illegal_argument(format!(
                "field value function must not produce negative scores, but got: [{}] for field value: [{}]",
                crate::mapping::java_double(smallest * f64::from(self.spec.factor)),
                crate::mapping::java_double(smallest),
            )));
        }
        Ok(())
    }

    pub fn describe(&self) -> String {
        let missing =
            self.spec.missing.map_or(String::new(), |missing| format!("?:{}", crate::mapping::java_double(missing)));
        let modifier = format!("{:?}", self.spec.modifier).to_lowercase();
        format!(
            "field value function: {modifier}(doc['{}'].value{missing} * factor={})",
            self.spec.field,
            crate::mapping::java_double(f64::from(self.spec.factor))
        )
    }
}

impl SegmentFactor {
    pub fn score(&mut self, doc: DocId) -> f64 {
        self.values.clear();
        if let Some(column) = &self.column {
            column.doubles(doc, &mut self.values);
        }
        let value = self.values.iter().copied().reduce(f64::min).map(|value| value / self.scale).or(self.spec.missing);
        let value = value.unwrap_or(1.0) * f64::from(self.spec.factor);
        let result = self.spec.modifier.apply(value);
        if result.is_finite() && result >= 0.0 { result } else { 0.0 }
    }
}
