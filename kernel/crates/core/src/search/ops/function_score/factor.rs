//! `field_value_factor`: the value of a field, modified.

use std::sync::Arc;

use serde::Deserialize;
use tantivy::DocId;

use crate::mapping::{FieldDef, java_double};
use crate::search::docs::{ColumnValues, numeric_column};
use crate::search::faults::Faults;
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
    faults: Arc<Faults>,
}

pub struct SegmentFactor {
    spec: FieldValueFactor,
    column: Option<Arc<ColumnValues>>,
    scale: f64,
    values: Vec<f64>,
    faults: Arc<Faults>,
}

impl FieldValueFactor {
    pub fn bind(&self, context: &Context<'_>) -> Result<BoundFactor> {
        let def = context.field(&self.field).map(|def| (**def).clone());
        if def.is_none() && self.missing.is_none() {
            return Err(Error::query_shard(format!(
                "Unable to find a field mapper for field [{}]. No 'missing' value defined.",
                self.field
            )));
        }
        Ok(BoundFactor { spec: self.clone(), def, faults: Arc::clone(&context.faults) })
    }

    /// A value that makes no score fails the search on this shard, as in OpenSearch.
    fn negative(&self, result: f64, value: f64) -> Error {
        let hint = match self.modifier {
            Modifier::Ln => "; consider using ln1p or ln2p instead of ln to avoid negative scores",
            Modifier::Log => "; consider using log1p or log2p instead of log to avoid negative scores",
            _ => "",
        };
        Error::illegal_argument(format!(
            "field value function must not produce negative scores, but got: [{}] for field value: [{}]{hint}",
            java_double(result),
            java_double(value),
        ))
    }
}

impl BoundFactor {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentFactor> {
        let (column, scale) = match &self.def {
            Some(def) => (numeric_column(segment.segment, def)?, def.scaling_factor),
            None => (None, 1.0),
        };
        Ok(SegmentFactor {
            spec: self.spec.clone(),
            column,
            scale,
            values: Vec::new(),
            faults: Arc::clone(&self.faults),
        })
    }

    pub fn describe(&self) -> String {
        let missing = self.spec.missing.map_or(String::new(), |missing| format!("?:{}", java_double(missing)));
        let modifier = format!("{:?}", self.spec.modifier).to_lowercase();
        format!(
            "field value function: {modifier}(doc['{}'].value{missing} * factor={})",
            self.spec.field,
            java_double(f64::from(self.spec.factor))
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
        let Some(value) = value else {
            let missing = || Error::new("exception", 500, format!("Missing value for field [{}]", self.spec.field));
            self.faults.record(missing);
            return 0.0;
        };
        let result = self.spec.modifier.apply(value * f64::from(self.spec.factor));
        if result < 0.0 {
            self.faults.record(|| self.spec.negative(result, value));
        }
        result
    }
}
