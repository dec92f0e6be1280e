//! `range`: values between bounds, over columns where there are some, otherwise over the term dictionary. Constant score.

mod bounds;

use std::fmt::Debug;
use std::ops::{Bound, RangeInclusive};

use serde_json::Value;
use tantivy::DocId;
use tantivy::columnar::{Cardinality, Column};
use tantivy::query::{AllScorer, ConstScorer, Scorer};
use tantivy::schema::Term;

use super::constant::{ConstantQuery, NoneQuery};
use super::terms::AnyTerm;
use super::values;
use super::{Mark, Operation};
use crate::mapping::FieldDef;
use crate::search::docs::{ColumnValues, RangeDocs, ip_column, numeric_column, str_column};
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};
use crate::{Error, Result};

pub use bounds::Bounds;

operation! {
    /// Documents with a value within bounds.
    pub struct Range {
        pub field: String,
        #[serde(default)]
        pub gt: Option<Value>,
        #[serde(default)]
        pub gte: Option<Value>,
        #[serde(default)]
        pub lt: Option<Value>,
        #[serde(default)]
        pub lte: Option<Value>,
    }
}

impl Operation for Range {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        if self.field == "_id" {
            return Err(Error::query_shard("Field [_id] of type [_id] does not support range queries"));
        }
        if matches!(self.field.as_str(), "_seq_no" | "_primary_term" | "_version") {
            let (low, high) = (self.lower_i64()?.max(0) as u64, self.upper_i64()?);
            if high < 0 {
                return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"\")"));
            }
            return Ok(system_range(&self.field, low..=high as u64, boost));
        }
        let Some(def) = context.field(&self.field) else { return Ok(NoneQuery::unmapped(&self.field)) };
        let bounds = self.bounds(def)?;
        bind_bounds(context, def, bounds, boost)
    }

    fn marks(&self, _out: &mut Vec<Mark>) {}
}

/// A range query on a leaf.
pub fn bind_bounds(context: &Context<'_>, def: &FieldDef, bounds: Bounds, boost: f32) -> Result<BoxQuery> {
    if let Bounds::Nothing = bounds {
        return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"\")"));
    }
    if let Bounds::Text(lower, upper) = &bounds
        && values::has_terms(def)
    {
        return term_range(context, def, text_bound(def, lower), text_bound(def, upper), boost);
    }
    if def.column {
        if context.probing && !overlaps_any(context, def, &bounds)? {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"outside the values of the shard\")"));
        }
        return Ok(bind_column(def, bounds, boost));
    }
    let Some(field) = def.field.filter(|_| values::has_terms(def)) else { return Err(values::not_indexed(def)) };
    let (low, high) = match bounds {
        Bounds::I64(range) => (Term::from_field_i64(field, *range.start()), Term::from_field_i64(field, *range.end())),
        Bounds::U64(range) => (Term::from_field_u64(field, *range.start()), Term::from_field_u64(field, *range.end())),
        Bounds::F64(range) => (Term::from_field_f64(field, *range.start()), Term::from_field_f64(field, *range.end())),
        Bounds::Bool(range) => {
            (Term::from_field_bool(field, *range.start()), Term::from_field_bool(field, *range.end()))
        }
        Bounds::Ip(range) => {
            (Term::from_field_ip_addr(field, *range.start()), Term::from_field_ip_addr(field, *range.end()))
        }
        Bounds::Nothing | Bounds::Text(..) => return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"\")")),
    };
    term_range(context, def, Bound::Included(low), Bound::Included(high), boost)
}

/// Whether a range over a column reaches into the values of some segment. Lists of terms are not looked at.
fn overlaps_any(context: &Context<'_>, def: &FieldDef, bounds: &Bounds) -> Result<bool> {
    for segment in context.segments() {
        let overlaps = match bounds {
            Bounds::Text(..) | Bounds::Nothing => true,
            Bounds::Ip(range) => {
                ip_column(segment.segment, &def.stored_name())?.is_some_and(|column| overlaps(&column, range))
            }
            bounds => numeric_column(segment.segment, def)?.is_some_and(|column| match (column.as_ref(), bounds) {
                (ColumnValues::I64(column), Bounds::I64(range)) => overlaps(column, range),
                (ColumnValues::U64(column), Bounds::U64(range)) => overlaps(column, range),
                (ColumnValues::F64(column), Bounds::F64(range)) => overlaps(column, range),
                _ => true,
            }),
        };
        if overlaps {
            return Ok(true);
        }
    }
    Ok(false)
}

fn overlaps<T: PartialOrd + Copy + Debug + Send + Sync + 'static>(
    column: &Column<T>,
    range: &RangeInclusive<T>,
) -> bool {
    *range.start() <= column.max_value() && *range.end() >= column.min_value()
}

/// A range over the column of a leaf.
pub fn bind_column(def: &FieldDef, bounds: Bounds, boost: f32) -> BoxQuery {
    let query = ColumnRange { def: def.clone(), bounds };
    Box::new(ConstantQuery { inner: Box::new(query), score: boost, wrapped: false })
}

fn text_bound(def: &FieldDef, bound: &Bound<String>) -> Bound<Term> {
    match (bound, def.field) {
        (Bound::Included(text), Some(field)) => Bound::Included(Term::from_field_text(field, text)),
        (Bound::Excluded(text), Some(field)) => Bound::Excluded(Term::from_field_text(field, text)),
        _ => Bound::Unbounded,
    }
}

/// All terms between two of the dictionary.
fn term_range(
    context: &Context<'_>,
    def: &FieldDef,
    lower: Bound<Term>,
    upper: Bound<Term>,
    boost: f32,
) -> Result<BoxQuery> {
    let Some(field) = def.field else { return Err(values::not_indexed(def)) };
    let mut found = Vec::with_capacity(context.shard.segments.len());
    for segment in &context.shard.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut stream = index.terms().range();
        stream = match &lower {
            Bound::Included(term) => stream.ge(term.serialized_value_bytes()),
            Bound::Excluded(term) => stream.gt(term.serialized_value_bytes()),
            Bound::Unbounded => stream,
        };
        stream = match &upper {
            Bound::Included(term) => stream.le(term.serialized_value_bytes()),
            Bound::Excluded(term) => stream.lt(term.serialized_value_bytes()),
            Bound::Unbounded => stream,
        };
        let mut stream = stream.into_stream()?;
        let mut infos = Vec::new();
        while stream.advance() {
            infos.push(stream.value().clone());
        }
        found.push(infos);
    }
    Ok(Box::new(AnyTerm::found(&def.path, field, found, boost)))
}

/// A scan of a column.
struct ColumnRange {
    def: FieldDef,
    bounds: Bounds,
}

impl Query for ColumnRange {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        match &self.bounds {
            Bounds::Ip(range) => {
                let Some(column) = ip_column(segment.segment, &self.def.stored_name())? else { return Ok(nothing()) };
                Ok(scan(&column, range.clone()))
            }
            Bounds::Text(lower, upper) => self.ordinals(segment, lower, upper),
            bounds => {
                let Some(column) = numeric_column(segment.segment, &self.def)? else { return Ok(nothing()) };
                Ok(match (column.as_ref(), bounds) {
                    (ColumnValues::I64(column), Bounds::I64(range)) => scan(column, range.clone()),
                    (ColumnValues::U64(column), Bounds::U64(range)) => scan(column, range.clone()),
                    (ColumnValues::F64(column), Bounds::F64(range)) => scan(column, range.clone()),
                    (ColumnValues::Bool(column), Bounds::Bool(range)) => scan(column, range.clone()),
                    _ => nothing(),
                })
            }
        }
    }

    fn window(&self, segment: &SegmentView<'_>, docs: std::ops::Range<DocId>, out: &mut Vec<DocId>) -> Result<bool> {
        let Some(column) = numeric_column(segment.segment, &self.def)? else { return Ok(self.def.column) };
        match (column.as_ref(), &self.bounds) {
            (ColumnValues::I64(column), Bounds::I64(range)) => {
                column.get_docids_for_value_range(range.clone(), docs, out)
            }
            (ColumnValues::U64(column), Bounds::U64(range)) => {
                column.get_docids_for_value_range(range.clone(), docs, out)
            }
            (ColumnValues::F64(column), Bounds::F64(range)) => {
                column.get_docids_for_value_range(range.clone(), docs, out)
            }
            _ => return Ok(false),
        }
        out.dedup();
        Ok(true)
    }

    fn describe(&self) -> String {
        let (low, high) = match &self.bounds {
            Bounds::I64(range) => (range.start().to_string(), range.end().to_string()),
            Bounds::U64(range) => (range.start().to_string(), range.end().to_string()),
            Bounds::F64(range) => (range.start().to_string(), range.end().to_string()),
            Bounds::Bool(range) => (range.start().to_string(), range.end().to_string()),
            Bounds::Ip(range) => (range.start().to_string(), range.end().to_string()),
            Bounds::Text(..) | Bounds::Nothing => ("*".to_owned(), "*".to_owned()),
        };
        format!("{}:[{low} TO {high}]", self.def.path)
    }
}

impl ColumnRange {
    fn ordinals(
        &self,
        segment: &SegmentView<'_>,
        lower: &Bound<String>,
        upper: &Bound<String>,
    ) -> Result<Box<dyn Scorer>> {
        let Some(column) = str_column(segment.segment, &self.def.stored_name())? else { return Ok(nothing()) };
        let dictionary = column.dictionary();
        let as_bytes = |bound: &Bound<String>| match bound {
            Bound::Included(text) => Bound::Included(text.clone().into_bytes()),
            Bound::Excluded(text) => Bound::Excluded(text.clone().into_bytes()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let (low, high) = dictionary.term_bounds_to_ord(as_bytes(lower), as_bytes(upper))?;
        let low = match low {
            Bound::Included(ord) => ord,
            Bound::Excluded(ord) => ord + 1,
            Bound::Unbounded => 0,
        };
        let high = match high {
            Bound::Included(ord) => ord,
            Bound::Excluded(0) => return Ok(nothing()),
            Bound::Excluded(ord) => ord - 1,
            Bound::Unbounded => u64::MAX,
        };
        if low > high {
            return Ok(nothing());
        }
        Ok(scan(column.ords(), low..=high))
    }
}

fn scan<T: PartialOrd + Copy + Debug + Send + Sync + 'static>(
    column: &Column<T>,
    range: RangeInclusive<T>,
) -> Box<dyn Scorer> {
    let (min, max) = (column.min_value(), column.max_value());
    if !overlaps(column, &range) {
        return nothing();
    }
    if *range.start() <= min && *range.end() >= max && column.get_cardinality() == Cardinality::Full {
        return Box::new(AllScorer::new(column.num_docs()));
    }
    Box::new(ConstScorer::new(RangeDocs::new(column.clone(), range), 1.0))
}

/// A range over one of the kernel's own columns.
struct SystemRange {
    name: String,
    range: RangeInclusive<u64>,
}

fn system_range(name: &str, range: RangeInclusive<u64>, boost: f32) -> BoxQuery {
    let query = SystemRange { name: name.to_owned(), range };
    Box::new(ConstantQuery { inner: Box::new(query), score: boost, wrapped: false })
}

impl Query for SystemRange {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(match segment.segment.reader.fast_fields().column_opt::<u64>(&self.name)? {
            Some(column) => scan(&column, self.range.clone()),
            None => nothing(),
        })
    }

    fn describe(&self) -> String {
        format!("{}:[{} TO {}]", self.name, self.range.start(), self.range.end())
    }
}
