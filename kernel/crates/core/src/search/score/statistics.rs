//! Statistics of fields and terms over all segments of a shard, deleted documents included, as Lucene counts them.

use std::sync::Arc;

use tantivy::columnar::{Cardinality, Column};
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{BitSet, DocSet, TERMINATED};

use super::norm_inverses;
use crate::Result;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::{Segment, ShardReader};
use crate::search::dfs::FieldCounts;
use crate::search::docs::cached;

/// Lucene's CollectionStatistics of one field.
pub struct FieldStatistics {
    /// Documents that have the field.
    pub doc_count: u64,
    /// Tokens of all documents.
    pub total_tokens: u64,
    pub average_length: f32,
    pub norm_inverses: Arc<[f32; 256]>,
}

impl FieldStatistics {
    pub fn count(shard: &ShardReader, def: &FieldDef, field: Field) -> Result<FieldCounts> {
        let mut counts = FieldCounts::default();
        for segment in &shard.segments {
            counts.tokens += tokens_in(segment, def, field)?;
            counts.documents += u64::from(documents_with(segment, def, field)?);
        }
        Ok(counts)
    }

    pub fn of(counts: FieldCounts) -> Self {
        let FieldCounts { documents: doc_count, tokens: total_tokens } = counts;
        let average_length =
            if doc_count == 0 || total_tokens == 0 { 1.0 } else { (total_tokens as f64 / doc_count as f64) as f32 };
        FieldStatistics { doc_count, total_tokens, average_length, norm_inverses: norm_inverses(average_length) }
    }
}

/// Tokens of a segment's field, as often as its index knows them to occur.
fn tokens_in(segment: &Segment, def: &FieldDef, field: Field) -> Result<u64> {
    let index = segment.reader.inverted_index(field)?;
    if def.kind == FieldKind::Text && def.documents_only() {
        let entries = cached(segment, &format!("term_entries/{}", def.path), || {
            let (mut sum, mut terms) = (0, index.terms().stream()?);
            while terms.advance() {
                sum += u64::from(terms.value().doc_freq);
            }
            Ok(sum)
        })?;
        return Ok(*entries);
    }
    Ok(segment.tokens.get(&def.path).copied().unwrap_or_else(|| index.total_num_tokens()))
}

/// Documents of a segment, deleted ones included, that have the field.
fn documents_with(segment: &Segment, def: &FieldDef, field: Field) -> Result<u32> {
    let key = format!("documents_with/{}", def.path);
    let count = cached(segment, &key, || {
        if def.norms && def.kind == FieldKind::Text {
            return Ok(match segment.reader.fieldnorms_readers().get_field(field)? {
                Some(norms) => (0..segment.reader.max_doc()).filter(|doc| norms.fieldnorm_id(*doc) > 0).count() as u32,
                None => 0,
            });
        }
        if def.kind == FieldKind::Text {
            return documents_in_postings(segment, field);
        }
        if def.kind == FieldKind::Boolean
            && let Some(column) = segment.reader.fast_fields().column_opt::<bool>(&def.stored_name())?
        {
            return Ok(documents_in(&column));
        }
        if def.column
            && let Some(column) = segment.reader.fast_fields().str(&def.stored_name())?
        {
            return Ok(documents_in(column.ords()));
        }
        let names = segment.reader.index().schema().get_field("_field_names");
        match names {
            Ok(names) => {
                Ok(segment.reader.inverted_index(names)?.doc_freq(&Term::from_field_text(names, &def.path))?)
            }
            Err(_) => Ok(segment.reader.max_doc()),
        }
    })?;
    Ok(*count)
}

/// Documents with at least one term: a text may be there and have none.
fn documents_in_postings(segment: &Segment, field: Field) -> Result<u32> {
    let index = segment.reader.inverted_index(field)?;
    let mut documents = BitSet::with_max_value(segment.reader.max_doc());
    let mut terms = index.terms().stream()?;
    while terms.advance() {
        let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            documents.insert(postings.doc());
            postings.advance();
        }
    }
    Ok(documents.len() as u32)
}

fn documents_in<T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(column: &Column<T>) -> u32 {
    match column.get_cardinality() {
        Cardinality::Full => column.num_docs(),
        _ => (0..column.num_docs()).filter(|doc| column.index.has_value(*doc)).count() as u32,
    }
}

/// Where a term stands in each segment, and how many documents have it.
pub struct TermStates {
    pub doc_freq: u64,
    pub infos: Vec<Option<TermInfo>>,
}

impl TermStates {
    pub fn find(shard: &ShardReader, term: &Term) -> Result<Self> {
        let mut doc_freq = 0;
        let mut infos = Vec::with_capacity(shard.segments.len());
        for segment in &shard.segments {
            let info = segment.reader.inverted_index(term.field())?.get_term_info(term)?;
            doc_freq += info.as_ref().map_or(0, |info| u64::from(info.doc_freq));
            infos.push(info);
        }
        Ok(TermStates { doc_freq, infos })
    }

    pub fn is_empty(&self) -> bool {
        self.doc_freq == 0
    }
}
