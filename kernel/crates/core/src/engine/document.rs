//! A parsed document as tantivy's `Document`, without copying: values are moved in, the source stays in the request's body.

use rustc_hash::FxHashSet;
use tantivy::directory::OwnedBytes;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::schema::{Document, Field, Value};
use tantivy::tokenizer::Token;

use crate::mapping::{IndexDoc, IndexValue, SystemFields, TextField};

/// What the engine adds to a root document; `_id` and `_routing` come with the parsed document.
#[derive(Debug, Clone)]
pub struct RootMeta {
    /// None: `_source` is not kept.
    pub source: Option<OwnedBytes>,
    pub seq_no: i64,
    pub primary_term: u64,
    pub version: u64,
}

pub(crate) struct EngineDocument {
    values: Vec<(Field, IndexValue)>,
    root: Option<(RootMeta, SystemFields)>,
}

impl EngineDocument {
    pub fn root(doc: IndexDoc, meta: RootMeta, system: SystemFields) -> Self {
        Self { values: doc.values, root: Some((meta, system)) }
    }

    pub fn child(doc: IndexDoc) -> Self {
        Self { values: doc.values, root: None }
    }

    /// Lengths of fields with several values where they are not the number of tokens.
    pub fn joined(&self, fields: &[TextField]) -> impl Iterator<Item = (Field, u32)> {
        self.values.iter().filter_map(|(field, value)| {
            let IndexValue::Tokens(joined) = value else { return None };
            if fields.iter().any(|text| text.field == *field && text.documents_only) {
                let distinct: FxHashSet<&str> = joined.tokens.iter().map(|token| token.text.as_str()).collect();
                return Some((*field, distinct.len() as u32));
            }
            let overlaps = |pair: &&[Token]| pair[0].position == pair[1].position;
            let overlapping = joined.tokens.windows(2).filter(overlaps).count();
            (overlapping > 0).then(|| (*field, (joined.tokens.len() - overlapping) as u32))
        })
    }

    fn system_value(&self, i: usize) -> Option<(Field, Leaf<'_>)> {
        let (meta, system) = self.root.as_ref()?;
        match i {
            0 => Some((system.source, Leaf::Bytes(meta.source.as_ref()?.as_slice()))),
            1 => Some((system.seq_no, Leaf::U64(meta.seq_no as u64))),
            2 => Some((system.primary_term, Leaf::U64(meta.primary_term))),
            _ => Some((system.version, Leaf::U64(meta.version))),
        }
    }
}

const SYSTEM_VALUES: usize = 4;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaf<'a> {
    Bytes(&'a [u8]),
    U64(u64),
    Value(&'a IndexValue),
}

pub(crate) struct Values<'a> {
    document: &'a EngineDocument,
    next: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < SYSTEM_VALUES && self.document.root.is_some() {
            self.next += 1;
            if let Some(value) = self.document.system_value(self.next - 1) {
                return Some(value);
            }
        }
        let first = if self.document.root.is_some() { SYSTEM_VALUES } else { 0 };
        let (field, value) = self.document.values.get(self.next - first)?;
        self.next += 1;
        Some((*field, Leaf::Value(value)))
    }
}

impl Document for EngineDocument {
    type Value<'a> = Leaf<'a>;
    type FieldsValuesIter<'a> = Values<'a>;

    fn iter_fields_and_values(&self) -> Values<'_> {
        Values { document: self, next: 0 }
    }
}

impl<'a> Value<'a> for Leaf<'a> {
    type ArrayIter = std::iter::Empty<Leaf<'a>>;
    type ObjectIter = std::iter::Empty<(&'a str, Leaf<'a>)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Leaf::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Leaf::U64(number) => ReferenceValueLeaf::U64(number),
            Leaf::Value(value) => match value {
                IndexValue::Str(text) => ReferenceValueLeaf::Str(text),
                IndexValue::Tokens(tokens) => ReferenceValueLeaf::PreTokStr(Box::new(tokens.clone())),
                IndexValue::U64(number) => ReferenceValueLeaf::U64(*number),
                IndexValue::I64(number) => ReferenceValueLeaf::I64(*number),
                IndexValue::F64(number) => ReferenceValueLeaf::F64(*number),
                IndexValue::Bool(truth) => ReferenceValueLeaf::Bool(*truth),
                IndexValue::Ip(address) => ReferenceValueLeaf::IpAddr(*address),
                IndexValue::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            },
        })
    }
}
