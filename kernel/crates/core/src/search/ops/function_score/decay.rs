//! `gauss`, `exp` and `linear`: scores that fall with the distance from an origin.

use std::sync::Arc;

use serde::Deserialize;
use tantivy::DocId;

use crate::mapping::FieldDef;
use crate::search::docs::{ColumnValues, numeric_column};
use crate::search::plan::SortMode;
use crate::search::query::{Context, SegmentView};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecayKind {
    Gauss,
    Exp,
    Linear,
}

fn half() -> f64 {
    0.5
}

fn min() -> SortMode {
    SortMode::Min
}

/// Origin, scale and offset are in the column's unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    pub kind: DecayKind,
    pub field: String,
    pub origin: f64,
    pub scale: f64,
    #[serde(default)]
    pub offset: f64,
    #[serde(default = "half")]
    pub decay: f64,
    #[serde(default = "min")]
    pub multi_value_mode: SortMode,
}

pub struct BoundDecay {
    spec: Decay,
    def: FieldDef,
}

pub struct SegmentDecay {
    spec: Decay,
    column: Option<Arc<ColumnValues>>,
    scale: f64,
    values: Vec<f64>,
}

impl Decay {
    pub fn bind(&self, context: &Context<'_>) -> Result<BoundDecay> {
        let def = context
            .field(&self.field)
            .ok_or_else(|| Error::new("parsing_exception", 400, format!("unknown field [{}]", self.field)))?;
        Ok(BoundDecay { spec: self.clone(), def: (**def).clone() })
    }

    /// The kind's own form of the scale.
    fn processed(&self) -> f64 {
        match self.kind {
            DecayKind::Gauss => 0.5 * self.scale * self.scale / self.decay.ln(),
            DecayKind::Exp => self.decay.ln() / self.scale,
            DecayKind::Linear => self.scale / (1.0 - self.decay),
        }
    }

    fn evaluate(&self, distance: f64) -> f64 {
        let scale = self.processed();
        match self.kind {
            DecayKind::Gauss => (0.5 * distance * distance / scale).exp(),
            DecayKind::Exp => (scale * distance).exp(),
            DecayKind::Linear => ((scale - distance) / scale).max(0.0),
        }
    }
}

impl BoundDecay {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentDecay> {
        let column = numeric_column(segment.segment, &self.def)?;
        Ok(SegmentDecay { spec: self.spec.clone(), column, scale: self.def.scaling_factor, values: Vec::new() })
    }

    pub fn describe(&self) -> String {
        format!("Function for field {}:", self.spec.field)
    }
}

impl SegmentDecay {
    pub fn score(&mut self, doc: DocId) -> f64 {
        let Some(column) = &self.column else { return self.spec.evaluate(0.0) };
        column.doubles(doc, &mut self.values);
        let (origin, offset, scale) = (self.spec.origin, self.spec.offset, self.scale);
        self.values.iter_mut().for_each(|value| *value = ((*value / scale - origin).abs() - offset).max(0.0));
        let distance = select(&mut self.values, self.spec.multi_value_mode);
        self.spec.evaluate(distance)
    }
}

/// One of several distances; none is no distance.
fn select(values: &mut [f64], mode: SortMode) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    match mode {
        SortMode::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        SortMode::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        SortMode::Sum => values.iter().sum(),
        SortMode::Avg => values.iter().sum::<f64>() / values.len() as f64,
        SortMode::Median => {
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_scale_the_score_is_the_decay() {
        for kind in [DecayKind::Gauss, DecayKind::Exp, DecayKind::Linear] {
            let decay = Decay {
                kind,
                field: String::new(),
                origin: 0.0,
                scale: 7.0,
                offset: 0.0,
                decay: 0.3,
                multi_value_mode: SortMode::Min,
            };
            assert!((decay.evaluate(7.0) - 0.3).abs() < 1e-12);
            assert_eq!(decay.evaluate(0.0), 1.0);
        }
    }
}
