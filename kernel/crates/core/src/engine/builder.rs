//! A segment in the making (Lucene's DWPT): takes documents one after another, is used by one thread at a time.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::indexer::{AddOperation, SegmentWriter};
use tantivy::schema::{Field, Schema};
use tantivy::store::Compressor;
use tantivy::tokenizer::{RawTokenizer, TextAnalyzer, TokenizerManager};
use tantivy::{Index, IndexSettings};

use super::document::{EngineDocument, RootMeta};
use crate::analysis::{IndexTokenizer, TokenCounts};
use crate::mapping::{Mapping, ParsedDoc, SystemFields, TextField};
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
    pub text: Arc<[TextField]>,
}

impl SegmentSchema {
    pub fn of(mapping: &Mapping) -> Self {
        Self { schema: mapping.schema.clone(), system: mapping.system, text: mapping.text_fields().collect() }
    }

    /// A tokenizer for each text field, which counts into what is answered beside it.
    fn tokenizers(&self) -> (TokenizerManager, Vec<(Field, Arc<TokenCounts>)>) {
        let manager = TokenizerManager::default();
        let mut counts = Vec::with_capacity(self.text.len());
        for text in self.text.iter() {
            let counted = if text.documents_only { TokenCounts::distinct() } else { TokenCounts::default() };
            let counted = Arc::new(counted);
            let tokenizer = IndexTokenizer::new(text.analyzer.clone(), counted.clone());
            manager.register(&text.tokenizer, TextAnalyzer::from(tokenizer));
            counts.push((text.field, counted));
        }
        manager.register("raw", RawTokenizer::default());
        // tantivy asks for one even for fields that are not text.
        if manager.get("default").is_none() {
            manager.register("default", RawTokenizer::default());
        }
        (manager, counts)
    }
}

/// Bytes of stored documents that are compressed as one. A hit costs the unpacking of a block: half of tantivy's own size halves that
/// for 8 % more on disk.
const STORED_BLOCK: usize = 8192;

pub fn index_settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Lz4,
        docstore_blocksize: STORED_BLOCK,
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
    counts: Vec<(Field, Arc<TokenCounts>)>,
    /// Lengths of fields with overlapping tokens, by field and document.
    lengths: Vec<(Field, u32, u32)>,
    roots: u32,
    max_seq_no: i64,
}

impl SegmentBuilder {
    /// Starts a segment in a new folder.
    pub fn create(fs: SharedFs, folder: PathBuf, schema: SegmentSchema) -> Result<Self> {
        fs.create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        let directory = SegmentDirectory::for_writing(fs.clone(), folder.clone(), Arc::<AtomicBool>::default());
        let (tokenizers, counts) = schema.tokenizers();
        let index = Index::builder().schema(schema.schema.clone()).settings(index_settings()).tokenizers(tokenizers);
        let index = index.open_or_create(directory.clone())?;
        let segment = index.new_segment();
        let uuid = segment.id().uuid_string();
        let writer = SegmentWriter::for_segment(INITIAL_BUDGET, segment)?;
        Ok(Self { fs, folder, directory, uuid, schema, writer, counts, lengths: Vec::new(), roots: 0, max_seq_no: -1 })
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
        let doc = self.writer.max_doc();
        self.lengths.extend(document.joined(&self.schema.text).map(|(field, length)| (field, doc, length)));
        self.writer.add_document(AddOperation { opstamp: 0, document })?;
        for (field, counts) in &self.counts {
            if let Some(length) = counts.discounted() {
                self.lengths.push((*field, doc, length));
            }
        }
        Ok(())
    }

    /// tantivy's norms count all tokens, Lucene's only those that do not lie over another (its `discountOverlaps`).
    fn discount_overlaps(&self) {
        let with_norms = self.schema.schema.fields().filter(|(_, entry)| entry.is_indexed() && entry.has_fieldnorms());
        let places: HashMap<Field, u64> = with_norms.zip(0u64..).map(|((field, _), place)| (field, place)).collect();
        let max_doc = u64::from(self.writer.max_doc());
        let norms = self.lengths.iter().filter_map(|(field, doc, length)| {
            Some((places.get(field)? * max_doc + u64::from(*doc), FieldNormReader::fieldnorm_to_id(*length)))
        });
        self.directory.replace_norms(norms.collect());
    }

    pub fn max_doc(&self) -> u32 {
        self.writer.max_doc()
    }

    pub fn memory(&self) -> usize {
        // tantivy counts what its writers hold, not the norms and opstamps nor the rest of the started arena page.
        self.writer.mem_usage()
            + self.lengths.capacity() * size_of::<(Field, u32, u32)>()
            + self.writer.max_doc() as usize * (8 + self.schema.schema.num_fields())
            + (1 << 20)
    }

    pub fn schema(&self) -> &SegmentSchema {
        &self.schema
    }

    /// Writes the files and the manifest; nothing is synced.
    pub fn finish(self, source: &str) -> Result<Manifest> {
        let max_doc = self.writer.max_doc();
        self.discount_overlaps();
        self.writer.finalize()?;
        let manifest = Manifest {
            uuid: self.uuid,
            max_doc,
            roots: self.roots,
            fields: field_table(&self.schema.schema),
            files: self.directory.written(),
            max_seq_no: self.max_seq_no,
            source: source.to_owned(),
            tokens: BTreeMap::new(),
        };
        manifest.write(&*self.fs, &self.folder)?;
        Ok(manifest)
    }
}

/// Field names by id.
pub fn field_table(schema: &Schema) -> Vec<String> {
    schema.fields().map(|(_, entry)| entry.name().to_owned()).collect()
}
