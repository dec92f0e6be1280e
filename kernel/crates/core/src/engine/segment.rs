//! Opening immutable segments under the current schema, and merging them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tantivy::fastfield::AliveBitSet;
use tantivy::index::SegmentId;
use tantivy::indexer::merge_filtered_segments;
use tantivy::postings::Postings;
use tantivy::schema::{FieldType, IndexRecordOption, Schema};
use tantivy::{DocSet, Index, SegmentReader, TERMINATED};

use super::builder::{field_table, index_settings};
use crate::reader::SegmentCaches;
use crate::storage::SharedFs;
use crate::storage::composite::View;
use crate::storage::directory::SegmentDirectory;
use crate::storage::manifest::Manifest;
use crate::{Error, Result};

/// A segment's files, opened under one schema.
#[derive(Clone)]
pub struct OpenSegment {
    pub id: Arc<str>,
    pub manifest: Arc<Manifest>,
    pub reader: SegmentReader,
    pub caches: Arc<SegmentCaches>,
}

impl OpenSegment {
    pub fn open(fs: &SharedFs, folder: &Path, manifest: Arc<Manifest>, schema: &Schema) -> Result<Self> {
        let segment = tantivy_segment(fs, folder, &manifest, schema)?;
        let id = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let reader = SegmentReader::open(&segment)
            .map_err(|e| Error::corruption(folder.display(), 0, format!("the segment cannot be opened: {e}")))?;
        Ok(Self { id: id.into(), manifest, reader, caches: Arc::default() })
    }

    /// The same files under another schema; what was derived from the files is kept.
    pub fn reopen(&self, fs: &SharedFs, folder: &Path, schema: &Schema) -> Result<Self> {
        let opened = Self::open(fs, folder, self.manifest.clone(), schema)?;
        Ok(Self { caches: self.caches.clone(), ..opened })
    }
}

fn tantivy_segment(fs: &SharedFs, folder: &Path, manifest: &Manifest, schema: &Schema) -> Result<tantivy::Segment> {
    let view = View { fields: Arc::new(manifest.fields.clone()), schema: schema.clone(), max_doc: manifest.max_doc };
    let directory = SegmentDirectory::for_reading(fs.clone(), folder.to_path_buf(), view);
    let index = Index::create(directory, schema.clone(), index_settings())?;
    let uuid = SegmentId::from_uuid_string(&manifest.uuid)
        .map_err(|e| Error::corruption(folder.display(), 0, format!("the manifest names a bad id: {e}")))?;
    let meta = index.new_segment_meta(uuid, manifest.max_doc);
    Ok(index.segment(meta))
}

/// The tokens of each field whose terms may score. tantivy only estimates them when documents are dropped.
fn count_tokens(fs: &SharedFs, folder: &Path, manifest: &Manifest, schema: &Schema) -> Result<BTreeMap<String, u64>> {
    let reader = SegmentReader::open(&tantivy_segment(fs, folder, manifest, schema)?)?;
    let mut counted = BTreeMap::new();
    for (field, entry) in schema.fields() {
        let scores = matches!(entry.field_type(), FieldType::Str(_) | FieldType::Bool(_));
        if !scores || !entry.is_indexed() || entry.name().starts_with('_') {
            continue;
        }
        let counts = entry.field_type().get_index_record_option().is_some_and(IndexRecordOption::has_freq);
        let index = reader.inverted_index(field)?;
        let mut tokens = 0;
        let mut terms = index.terms().stream()?;
        while terms.advance() {
            if !counts {
                tokens += u64::from(terms.value().doc_freq);
                continue;
            }
            let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::WithFreqs)?;
            while postings.doc() != TERMINATED {
                tokens += u64::from(postings.term_freq());
                postings.advance();
            }
        }
        counted.insert(entry.name().to_owned(), tokens);
    }
    Ok(counted)
}

/// One input of a merge.
pub struct MergeInput {
    pub folder: PathBuf,
    pub manifest: Arc<Manifest>,
    pub alive: Option<AliveBitSet>,
    /// Living roots.
    pub roots: u32,
}

/// Merges into a new folder, documents in order; nothing is synced. The inputs hold at least one living document.
pub fn merge(
    fs: &SharedFs,
    inputs: Vec<MergeInput>,
    schema: &Schema,
    target: PathBuf,
    cancelled: Arc<AtomicBool>,
) -> Result<Manifest> {
    fs.create_dir_all(&target).map_err(|e| Error::io(target.display(), e))?;
    let directory = SegmentDirectory::for_writing(fs.clone(), target.clone(), cancelled);
    let segments = inputs
        .iter()
        .map(|input| tantivy_segment(fs, &input.folder, &input.manifest, schema))
        .collect::<Result<Vec<_>>>()?;
    let max_doc = inputs
        .iter()
        .map(|input| input.alive.as_ref().map_or(input.manifest.max_doc, |alive| alive.num_alive_docs() as u32))
        .sum();
    let roots = inputs.iter().map(|input| input.roots).sum();
    let max_seq_no = inputs.iter().map(|input| input.manifest.max_seq_no).max().unwrap_or(-1);
    let inexact = inputs.iter().any(|input| input.alive.is_some() || !input.manifest.tokens.is_empty());
    let alive = inputs.into_iter().map(|input| input.alive).collect();
    merge_filtered_segments(&segments, index_settings(), alive, directory.clone())?;
    let files = directory.written();
    let uuid = files.first().and_then(|file| file.name.split('.').next()).unwrap_or_default().to_owned();
    let mut manifest = Manifest {
        uuid,
        max_doc,
        roots,
        fields: field_table(schema),
        files,
        max_seq_no,
        source: "merge".into(),
        tokens: BTreeMap::new(),
    };
    if inexact {
        manifest.tokens = count_tokens(fs, &target, &manifest, schema)?;
    }
    manifest.write(&**fs, &target)?;
    Ok(manifest)
}
