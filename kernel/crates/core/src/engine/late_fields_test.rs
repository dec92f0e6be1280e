//! Fields that arrive after the first segments, and field ids in another order, survive opening and merging.

use std::path::Path;
use std::sync::Arc;

use tantivy::DocSet;
use tantivy::Term;
use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::schema::{FAST, Field, INDEXED, STORED, STRING, Schema, TEXT};

use super::RootMeta;
use super::builder::{SegmentBuilder, SegmentSchema};
use super::segment::{MergeInput, OpenSegment, merge};
use crate::mapping::{IndexDoc, IndexValue, ParsedDoc, SystemFields};
use crate::storage::{FaultFs, OsFs, SharedFs};

fn schema(names: &[&str]) -> SegmentSchema {
    let mut builder = Schema::builder();
    let system = SystemFields {
        id: builder.add_text_field("_id", STRING | STORED),
        source: builder.add_bytes_field("_source", STORED),
        routing: builder.add_text_field("_routing", STRING | STORED),
        seq_no: builder.add_u64_field("_seq_no", FAST),
        primary_term: builder.add_u64_field("_primary_term", FAST),
        version: builder.add_u64_field("_version", FAST),
        nested: builder.add_text_field("_nested", STRING),
        field_names: builder.add_text_field("_field_names", STRING),
        ignored: builder.add_text_field("_ignored", STRING | FAST),
    };
    for name in names {
        match name.split_once(':') {
            Some((name, "long")) => drop(builder.add_i64_field(name, INDEXED | FAST)),
            _ => drop(builder.add_text_field(name, TEXT)),
        }
    }
    SegmentSchema { schema: builder.build(), system, text: Arc::default() }
}

fn field(schema: &SegmentSchema, name: &str) -> Field {
    schema.schema.get_field(name).unwrap()
}

fn write(
    fs: &SharedFs,
    folder: &Path,
    schema: &SegmentSchema,
    docs: &[(&str, &[(&str, IndexValue)])],
) -> Arc<crate::storage::manifest::Manifest> {
    let mut builder = SegmentBuilder::create(fs.clone(), folder.to_path_buf(), schema.clone()).unwrap();
    for (i, (id, values)) in docs.iter().enumerate() {
        let id = (schema.system.id, IndexValue::Str((*id).into()));
        let values = values.iter().map(|(name, value)| (field(schema, name), value.clone()));
        let values = std::iter::once(id).chain(values).collect();
        let meta = RootMeta { source: None, seq_no: i as i64, primary_term: 1, version: 1 };
        builder.add(ParsedDoc { docs: vec![IndexDoc { values }] }, meta).unwrap();
    }
    Arc::new(builder.finish("test").unwrap())
}

fn norms(segment: &OpenSegment, schema: &SegmentSchema, name: &str) -> Vec<u32> {
    let norms = segment.reader.get_fieldnorms_reader(field(schema, name)).unwrap();
    (0..segment.reader.max_doc()).map(|doc| norms.fieldnorm(doc)).collect()
}

fn hits(segment: &OpenSegment, schema: &SegmentSchema, name: &str, text: &str) -> Vec<(u32, u32)> {
    let field = field(schema, name);
    let index = segment.reader.inverted_index(field).unwrap();
    let postings =
        index.read_postings(&Term::from_field_text(field, text), IndexRecordOption::WithFreqsAndPositions).unwrap();
    let mut found = Vec::new();
    if let Some(mut postings) = postings {
        while postings.doc() != tantivy::TERMINATED {
            found.push((postings.doc(), postings.term_freq()));
            postings.advance();
        }
    }
    found
}

fn text(words: &str) -> IndexValue {
    IndexValue::Str(words.into())
}

fn check(fs: SharedFs, root: &Path) {
    let old = schema(&["n:long"]);
    let one = schema(&["title", "n:long"]);
    // The same fields and more, in another order.
    let two = schema(&["late", "n:long", "body", "title"]);
    let folder = |name: &str| root.join(name);
    let a = write(&fs, &folder("a"), &old, &[("1", &[("n", IndexValue::I64(5))])]);
    let b = write(
        &fs,
        &folder("b"),
        &one,
        &[("2", &[("title", text("one two two"))]), ("3", &[("title", text("two")), ("n", IndexValue::I64(7))])],
    );
    let c = write(&fs, &folder("c"), &two, &[("4", &[("late", text("x y z")), ("title", text("two two"))])]);

    let opened = OpenSegment::open(&fs, &folder("b"), b.clone(), &two.schema).unwrap();
    assert_eq!(norms(&opened, &two, "title"), [3, 1]);
    assert_eq!(norms(&opened, &two, "late"), [0, 0]);
    assert_eq!(hits(&opened, &two, "title", "two"), [(0, 2), (1, 1)]);
    assert_eq!(hits(&opened, &two, "late", "two"), []);

    let inputs = [("a", a), ("b", b), ("c", c)].map(|(name, manifest)| MergeInput {
        folder: folder(name),
        roots: manifest.roots,
        manifest,
        alive: None,
    });
    let merged = merge(&fs, inputs.into(), &two.schema, folder("m"), Arc::default()).unwrap();
    assert_eq!((merged.max_doc, merged.roots), (4, 4));
    merged.verify(&*fs, &folder("m"), true).unwrap();
    let opened = OpenSegment::open(&fs, &folder("m"), Arc::new(merged), &two.schema).unwrap();
    assert_eq!(norms(&opened, &two, "title"), [0, 3, 1, 2]);
    assert_eq!(norms(&opened, &two, "late"), [0, 0, 0, 3]);
    assert_eq!(norms(&opened, &two, "body"), [0, 0, 0, 0]);
    assert_eq!(hits(&opened, &two, "title", "two"), [(1, 2), (2, 1), (3, 2)]);
    assert_eq!(hits(&opened, &two, "_id", "3"), [(2, 1)]);
    let column = opened.reader.fast_fields().i64("n").unwrap();
    assert_eq!((0..4).map(|doc| column.first(doc)).collect::<Vec<_>>(), [Some(5), None, Some(7), None]);
}

#[test]
fn late_text_fields_merge_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    check(Arc::new(OsFs), folder.path());
}

#[test]
fn late_text_fields_merge_in_memory() {
    check(Arc::new(FaultFs::new()), Path::new("/shard"));
}
