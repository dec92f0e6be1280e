//! One function of `function_score`: a filter, a weight, and what is computed.

use serde::Deserialize;
use tantivy::DocId;
use tantivy::query::Scorer;

use super::decay::{BoundDecay, Decay, SegmentDecay};
use super::factor::{BoundFactor, FieldValueFactor, SegmentFactor};
use super::random::{BoundRandom, RandomScore, SegmentRandom};
use crate::Result;
use crate::search::ops::Op;
use crate::search::query::{BoxQuery, Context, SegmentView, matches};

/// As the plan gives it. Without anything but a weight, the weight is the score.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    #[serde(default)]
    pub filter: Option<Op>,
    #[serde(default)]
    pub weight: Option<f32>,
    #[serde(default)]
    pub field_value_factor: Option<FieldValueFactor>,
    #[serde(default)]
    pub decay: Option<Decay>,
    #[serde(default)]
    pub random_score: Option<RandomScore>,
}

/// Bound to a shard.
pub struct BoundFunction {
    filter: Option<BoxQuery>,
    weight: Option<f32>,
    kind: Bound,
}

enum Bound {
    One,
    Factor(BoundFactor),
    Decay(BoundDecay),
    Random(BoundRandom),
}

/// Opened on a segment.
pub struct SegmentFunction {
    filter: Option<Box<dyn Scorer>>,
    weight: Option<f32>,
    kind: Opened,
}

enum Opened {
    One,
    Factor(SegmentFactor),
    Decay(SegmentDecay),
    Random(SegmentRandom),
}

impl Function {
    pub fn bind(&self, context: &Context<'_>) -> Result<BoundFunction> {
        let filter = self.filter.as_ref().map(|op| op.bind(&context.unscored(), 1.0)).transpose()?;
        let kind = if let Some(factor) = &self.field_value_factor {
            Bound::Factor(factor.bind(context)?)
        } else if let Some(decay) = &self.decay {
            Bound::Decay(decay.bind(context)?)
        } else if let Some(random) = &self.random_score {
            Bound::Random(random.bind(context)?)
        } else {
            Bound::One
        };
        Ok(BoundFunction { filter, weight: self.weight, kind })
    }
}

impl BoundFunction {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentFunction> {
        let filter = self.filter.as_ref().map(|filter| filter.scorer(segment)).transpose()?;
        let kind = match &self.kind {
            Bound::One => Opened::One,
            Bound::Factor(factor) => Opened::Factor(factor.open(segment)?),
            Bound::Decay(decay) => Opened::Decay(decay.open(segment)?),
            Bound::Random(random) => Opened::Random(random.open(segment)?),
        };
        Ok(SegmentFunction { filter, weight: self.weight, kind })
    }

    pub fn filter_text(&self) -> String {
        format!("match filter: {}", self.filter.as_ref().map_or_else(|| "*:*".to_owned(), |filter| filter.describe()))
    }

    pub fn describe(&self) -> String {
        let inner = match &self.kind {
            Bound::One => "constant score 1.0 - no function provided".to_owned(),
            Bound::Factor(factor) => factor.describe(),
            Bound::Decay(decay) => decay.describe(),
            Bound::Random(_) => "random score function".to_owned(),
        };
        match self.weight {
            Some(weight) => format!("product of: {inner}, weight {weight}"),
            None => inner,
        }
    }
}

impl SegmentFunction {
    /// Documents come in ascending order, the same one maybe several times.
    pub fn applies(&mut self, doc: DocId) -> bool {
        self.filter.as_mut().is_none_or(|filter| matches(filter.as_mut(), doc))
    }

    pub fn score(&mut self, doc: DocId, _query_score: f32) -> f64 {
        let value = match &mut self.kind {
            Opened::One => 1.0,
            Opened::Factor(factor) => factor.score(doc),
            Opened::Decay(decay) => decay.score(doc),
            Opened::Random(random) => random.score(doc),
        };
        value * self.weight()
    }

    pub fn weight(&self) -> f64 {
        self.weight.map_or(1.0, f64::from)
    }
}
