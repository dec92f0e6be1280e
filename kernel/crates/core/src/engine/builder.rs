//! A segment in the making (Lucene's DWPT): takes documents one after another, is used by one thread at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tantivy::indexer::{AddOperation, SegmentWriter};
use tantivy::schema::Schema;
use tantivy::store::Compressor;
use tantivy::tokenizer::{RawTokenizer, TokenizerManager};
use tantivy::{Index, IndexSettings};

use super::document::{EngineDocument, RootMeta};
use crate::mapping::{Mapping, ParsedDoc, SystemFields};
use crate::storage::SharedFs;
use crate::storage::directory::SegmentDirectory;
use crate::storage::manifest::Manifest;
use crate::{Error, Result};

/// Sizes the term table at the start; it grows by itself.
const INITIAL_BUDGET: usize = 600_000;

/// What a segment is written under.
#[derive(Clone)]
pub struct SegmentSchema {
    pub schema: Schema,
    pub system: SystemFields,
    pub tokenizers: TokenizerManager,
}

impl SegmentSchema {
    pub fn of(mapping: &Mapping) -> Self {
        let tokenizers = mapping.tokenizers();
        tokenizers.register("raw", RawTokenizer::default());
        // tantivy asks for one even for fields that are not text.
        if tokenizers.get("default").is_none() {
            tokenizers.register("default", RawTokenizer::default());
        }
        Self { schema: mapping.schema.clone(), system: mapping.system, tokenizers }
    }
}

pub fn index_settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Lz4,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

pub struct SegmentBuilder {
    fs: SharedFs,
    folder: PathBuf,
    directory: SegmentDirectory,
    uuid: String,
    schema: SegmentSchema,
    writer: SegmentWriter,
    roots: u32,
    max_seq_no: i64,
}

impl SegmentBuilder {
    /// Starts a segment in a new folder.
    pub fn create(fs: SharedFs, folder: PathBuf, schema: SegmentSchema) -> Result<Self> {
        fs.create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        let directory = SegmentDirectory::for_writing(fs.clone(), folder.clone(), Arc::<AtomicBool>::default());
        let index = Index::builder()
            .schema(schema.schema.clone())
            .settings(index_settings())
            .tokenizers(schema.tokenizers.clone());
        let index = index.open_or_create(directory.clone())?;
        let segment = index.new_segment();
        let uuid = segment.id().uuid_string();
        let writer = SegmentWriter::for_segment(INITIAL_BUDGET, segment)?;
        Ok(Self { fs, folder, directory, uuid, schema, writer, roots: 0, max_seq_no: -1 })
    }

    /// Adds nested children, then their root; answers the root's document id.
    pub fn add(&mut self, doc: ParsedDoc, meta: RootMeta) -> Result<u32> {
        let mut docs = doc.docs;
        let root = docs.pop().unwrap_or_default();
        for child in docs {
            self.push(EngineDocument::child(child))?;
        }
        self.max_seq_no = self.max_seq_no.max(meta.seq_no);
        self.push(EngineDocument::root(root, meta, self.schema.system))?;
        self.roots += 1;
        Ok(self.writer.max_doc() - 1)
    }

    fn push(&mut self, document: EngineDocument) -> Result<()> {
        Ok(self.writer.add_document(AddOperation { opstamp: 0, document })?)
    }

    pub fn max_doc(&self) -> u32 {
        self.writer.max_doc()
    }

    pub fn memory(&self) -> usize {
        // tantivy counts what its writers hold, not the norms and opstamps nor the rest of the started arena page.
        self.writer.mem_usage() + self.writer.max_doc() as usize * (8 + self.schema.schema.num_fields()) + (1 << 20)
    }

    pub fn schema(&self) -> &SegmentSchema {
        &self.schema
    }

    /// Writes the files and the manifest; nothing is synced.
    pub fn finish(self, source: &str) -> Result<Manifest> {
        let max_doc = self.writer.max_doc();
        self.writer.finalize()?;
        let manifest = Manifest {
            uuid: self.uuid,
            max_doc,
            roots: self.roots,
            fields: field_table(&self.schema.schema),
            files: self.directory.written(),
            max_seq_no: self.max_seq_no,
            source: source.to_owned(),
        };
        manifest.write(&*self.fs, &self.folder)?;
        Ok(manifest)
    }
}

/// Field names by id.
pub fn field_table(schema: &Schema) -> Vec<String> {
    schema.fields().map(|(_, entry)| entry.name().to_owned()).collect()
}
