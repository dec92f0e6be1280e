//! Stored fields of a document: id, routing, source.

use tantivy::DocId;
use tantivy::schema::Field;
use tantivy::schema::document::{DeserializeError, DocumentDeserialize, DocumentDeserializer, ValueDeserialize, ValueDeserializer, ValueVisitor};
use tantivy::store::StoreReader;

use super::cached;
use crate::search::query::SegmentView;
use crate::Result;

/// Decompressed blocks kept per segment.
const CACHED_BLOCKS: usize = 64;

/// What is stored of a document.
#[derive(Debug, Default)]
pub struct StoredDoc {
    pub id: String,
    pub source: Option<Vec<u8>>,
    pub routing: Option<String>,
}

enum Stored {
    Text(String),
    Bytes(Vec<u8>),
    Other,
}

struct Visitor;

impl ValueVisitor for Visitor {
    type Value = Stored;

    fn visit_string(&self, text: String) -> Result<Stored, DeserializeError> {
        Ok(Stored::Text(text))
    }

    fn visit_bytes(&self, bytes: Vec<u8>) -> Result<Stored, DeserializeError> {
        Ok(Stored::Bytes(bytes))
    }

    fn visit_null(&self) -> Result<Stored, DeserializeError> {
        Ok(Stored::Other)
    }
}

impl ValueDeserialize for Stored {
    fn deserialize<'de, D: ValueDeserializer<'de>>(deserializer: D) -> Result<Self, DeserializeError> {
        deserializer.deserialize_any(Visitor)
    }
}

struct StoredFields(Vec<(Field, Stored)>);

impl DocumentDeserialize for StoredFields {
    fn deserialize<'de, D: DocumentDeserializer<'de>>(mut deserializer: D) -> Result<Self, DeserializeError> {
        let mut fields = Vec::with_capacity(deserializer.size_hint());
        while let Some(field) = deserializer.next_field::<Stored>()? {
            fields.push(field);
        }
        Ok(StoredFields(fields))
    }
}

/// Reads the stored fields of a document.
pub fn stored(view: &SegmentView<'_>, doc: DocId) -> Result<StoredDoc> {
    let store = cached(view.segment, "store", || Ok(view.segment.reader.get_store_reader(CACHED_BLOCKS)?))?;
    read(&store, view, doc)
}

fn read(store: &StoreReader, view: &SegmentView<'_>, doc: DocId) -> Result<StoredDoc> {
    let system = &view.mapping().system;
    let mut found = StoredDoc::default();
    for (field, value) in store.get::<StoredFields>(doc)?.0 {
        match value {
            Stored::Text(text) if field == system.id => found.id = text,
            Stored::Text(text) if field == system.routing => found.routing = Some(text),
            Stored::Bytes(bytes) if field == system.source => found.source = Some(bytes),
            _ => {}
        }
    }
    Ok(found)
}
