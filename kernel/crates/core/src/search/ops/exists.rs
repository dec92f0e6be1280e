//! `exists`: documents that have a value in a field, constant score.

use tantivy::columnar::{Cardinality, Column, ColumnIndex};
use tantivy::query::{AllScorer, BitSetDocSet, ConstScorer, Scorer};
use tantivy::schema::Term;
use tantivy::{BitSet, DocSet, TERMINATED};

use super::Operation;
use super::constant::{AllQuery, ConstantQuery, NoneQuery};
use super::terms::{AnyOf, AnyTerm};
use crate::Result;
use crate::mapping::{FieldDef, FieldKind};
use crate::search::docs::{ColumnValues, cached, ip_column, numeric_column, str_column};
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};

operation! {
    /// Documents with any value in the field; for an object, in any leaf of it.
    pub struct Exists {
        pub field: String,
    }
}

impl Operation for Exists {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let mapping = context.mapping();
        match self.field.as_str() {
            "_id" | "_source" | "_index" | "_seq_no" | "_version" | "_primary_term" => {
                return Ok(Box::new(AllQuery { score: boost }));
            }
            "_routing" => return all_terms(context, "_routing", mapping.system.routing, boost),
            "_ignored" => return all_terms(context, "_ignored", mapping.system.ignored, boost),
            _ => {}
        }
        if let Some(def) = context.field(&self.field) {
            return leaf(context, def, boost);
        }
        let prefix = format!("{}.", self.field);
        let leaves: Result<Vec<BoxQuery>> = mapping
            .fields
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(_, def)| leaf(context, def, 1.0))
            .collect();
        let leaves = leaves?;
        if leaves.is_empty() {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"No field \""));
        }
        Ok(Box::new(ConstantQuery { inner: Box::new(AnyOf(leaves)), score: boost, wrapped: context.scoring }))
    }
}

fn all_terms(context: &Context<'_>, path: &str, field: tantivy::schema::Field, boost: f32) -> Result<BoxQuery> {
    let mut found = Vec::new();
    for segment in &context.shard.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut infos = Vec::new();
        let mut stream = index.terms().stream()?;
        while stream.advance() {
            infos.push(stream.value().clone());
        }
        found.push(infos);
    }
    Ok(Box::new(AnyTerm::found(path, field, found, boost)))
}

fn leaf(context: &Context<'_>, def: &FieldDef, boost: f32) -> Result<BoxQuery> {
    if def.column || (def.norms && def.kind == FieldKind::Text) {
        let query = HasValue { def: def.clone() };
        return Ok(Box::new(ConstantQuery { inner: Box::new(query), score: boost, wrapped: context.scoring }));
    }
    let names = context.mapping().system.field_names;
    AnyTerm::bind(context, "_field_names", names, vec![Term::from_field_text(names, &def.path)], boost)
}

/// Documents with a value in a column, or with a length above zero.
struct HasValue {
    def: FieldDef,
}

impl Query for HasValue {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        if !self.def.column {
            return self.with_norms(segment);
        }
        let name = self.def.stored_name();
        Ok(match self.def.kind {
            FieldKind::Keyword => {
                str_column(segment.segment, &name)?.map_or_else(nothing, |column| present(column.ords()))
            }
            FieldKind::Ip => ip_column(segment.segment, &name)?.map_or_else(nothing, |column| present(&column)),
            _ => match numeric_column(segment.segment, &self.def)?.as_deref() {
                Some(ColumnValues::I64(column)) => present(column),
                Some(ColumnValues::U64(column)) => present(column),
                Some(ColumnValues::F64(column)) => present(column),
                Some(ColumnValues::Bool(column)) => present(column),
                None => nothing(),
            },
        })
    }

    fn describe(&self) -> String {
        format!("FieldExistsQuery [field={}]", self.def.path)
    }
}

impl HasValue {
    fn with_norms(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let Some(field) = self.def.field else { return Ok(nothing()) };
        let bits = cached(segment.segment, &format!("has_norm/{}", self.def.path), || {
            let mut bits = BitSet::with_max_value(segment.max_doc());
            if let Some(norms) = segment.segment.reader.fieldnorms_readers().get_field(field)? {
                for doc in (0..segment.max_doc()).filter(|doc| norms.fieldnorm_id(*doc) > 0) {
                    bits.insert(doc);
                }
            }
            Ok(bits)
        })?;
        if bits.len() == segment.max_doc() as usize {
            return Ok(Box::new(AllScorer::new(segment.max_doc())));
        }
        Ok(boxed(BitSetDocSet::from((*bits).clone())))
    }
}

fn boxed(docs: BitSetDocSet) -> Box<dyn Scorer> {
    if docs.doc() >= TERMINATED { nothing() } else { Box::new(ConstScorer::new(docs, 1.0)) }
}

fn present<T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(column: &Column<T>) -> Box<dyn Scorer> {
    if column.get_cardinality() == Cardinality::Full {
        return Box::new(AllScorer::new(column.num_docs()));
    }
    let mut bits = BitSet::with_max_value(column.num_docs());
    match &column.index {
        ColumnIndex::Optional(optional) => {
            for doc in optional.iter_non_null_docs() {
                bits.insert(doc);
            }
        }
        index => {
            for doc in (0..column.num_docs()).filter(|doc| index.has_value(*doc)) {
                bits.insert(doc);
            }
        }
    }
    boxed(BitSetDocSet::from(bits))
}
