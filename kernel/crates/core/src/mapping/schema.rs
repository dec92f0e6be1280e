//! The tantivy schema of a mapping: system fields first, then leaves in the order in which they came.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, IpAddrOptions, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing,
    TextOptions,
};

use super::types::{FieldDef, FieldKind, SystemFields};

const RAW: &str = "raw";
const SYSTEM: [&str; 9] =
    ["_id", "_source", "_routing", "_seq_no", "_primary_term", "_version", "_nested", "_field_names", "_ignored"];
/// Begins the stored names of leaves whose path tantivy does not take, or a system field has.
const ESCAPE: char = '\u{2}';

/// The name of a leaf's tantivy field and column. It is the path, but for paths that begin with a hyphen, are a system field's, or
/// have characters that mean something to tantivy.
pub(super) fn stored_name(path: &str) -> Cow<'_, str> {
    if !path.starts_with('-') && !path.contains(['\0', '\u{1}', ESCAPE]) && !SYSTEM.contains(&path) {
        return Cow::Borrowed(path);
    }
    let mut name = String::with_capacity(path.len() + 2);
    name.push(ESCAPE);
    for c in path.chars() {
        match c {
            '\0'..=ESCAPE => name.extend([ESCAPE, char::from(b'0' + c as u8)]),
            c => name.push(c),
        }
    }
    Cow::Owned(name)
}

/// Builds the schema and fills in `field` of each leaf; answers the order of the leaves' fields.
pub(super) fn build(leaves: &mut [FieldDef], previous_order: &[String]) -> (Schema, SystemFields, Vec<String>) {
    let mut builder = Schema::builder();
    let system = add_system(&mut builder);
    let mut by_path: FxHashMap<String, &mut FieldDef> = FxHashMap::default();
    let mut order = previous_order.to_vec();
    let known: rustc_hash::FxHashSet<&String> = previous_order.iter().collect();
    for leaf in leaves.iter_mut() {
        if !known.contains(&leaf.path) && (leaf.indexed || leaf.column) && leaf.kind != FieldKind::Binary {
            order.push(leaf.path.clone());
        }
        by_path.insert(leaf.path.clone(), leaf);
    }
    for path in &order {
        match by_path.get_mut(path) {
            Some(leaf) => leaf.field = Some(add_leaf(&mut builder, leaf)),
            // The ids behind it must not move.
            None => {
                builder.add_text_field(&stored_name(path), TextOptions::default());
            }
        }
    }
    (builder.build(), system, order)
}

fn raw() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(RAW)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    TextOptions::default().set_indexing_options(indexing)
}

fn add_system(builder: &mut SchemaBuilder) -> SystemFields {
    let column = || NumericOptions::default().set_fast();
    SystemFields {
        id: builder.add_text_field("_id", raw().set_stored()),
        source: builder.add_bytes_field("_source", BytesOptions::default().set_stored()),
        routing: builder.add_text_field("_routing", raw().set_stored()),
        seq_no: builder.add_u64_field("_seq_no", column()),
        primary_term: builder.add_u64_field("_primary_term", column()),
        version: builder.add_u64_field("_version", column()),
        nested: builder.add_text_field("_nested", raw()),
        field_names: builder.add_text_field("_field_names", raw()),
        ignored: builder.add_text_field("_ignored", raw().set_fast(RAW)),
    }
}

/// Terms beside the column: only for types whose term queries profit from them.
fn numeric(leaf: &FieldDef, terms_beside_column: bool) -> NumericOptions {
    let mut options = NumericOptions::default();
    if leaf.column {
        options = options.set_fast();
    }
    if leaf.indexed && (terms_beside_column || !leaf.column) {
        options = options.set_indexed();
    }
    options
}

fn add_leaf(builder: &mut SchemaBuilder, leaf: &FieldDef) -> Field {
    let path = stored_name(&leaf.path);
    let path = path.as_ref();
    match leaf.kind {
        FieldKind::Text => builder.add_text_field(path, text(leaf)),
        FieldKind::Keyword => {
            let mut options = if leaf.indexed { raw() } else { TextOptions::default() };
            if leaf.column {
                options = options.set_fast(RAW);
            }
            builder.add_text_field(path, options)
        }
        FieldKind::Byte | FieldKind::Short | FieldKind::Integer | FieldKind::Long => {
            builder.add_i64_field(path, numeric(leaf, true))
        }
        FieldKind::UnsignedLong => builder.add_u64_field(path, numeric(leaf, true)),
        FieldKind::Boolean => builder.add_bool_field(path, numeric(leaf, true)),
        FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => {
            builder.add_f64_field(path, numeric(leaf, false))
        }
        FieldKind::ScaledFloat | FieldKind::Date | FieldKind::DateNanos => {
            builder.add_i64_field(path, numeric(leaf, false))
        }
        FieldKind::Ip => {
            let mut options = IpAddrOptions::default();
            if leaf.column {
                options = options.set_fast();
            }
            if leaf.indexed {
                options = options.set_indexed();
            }
            builder.add_ip_addr_field(path, options)
        }
        FieldKind::Binary => builder.add_bytes_field(path, BytesOptions::default()),
    }
}

/// The tokenizer of a text field; apart from all names of tantivy's own.
pub fn tokenizer_name(path: &str) -> String {
    format!("field {path}")
}

fn text(leaf: &FieldDef) -> TextOptions {
    if !leaf.indexed {
        return TextOptions::default();
    }
    let option = match leaf.params.get("index_options").and_then(|v| v.as_str()) {
        Some("docs") => IndexRecordOption::Basic,
        Some("freqs") => IndexRecordOption::WithFreqs,
        _ => IndexRecordOption::WithFreqsAndPositions,
    };
    let indexing = TextFieldIndexing::default()
        // Each field has a tokenizer of its own, which counts its tokens.
        .set_tokenizer(&tokenizer_name(&leaf.path))
        .set_fieldnorms(leaf.norms)
        .set_index_option(option);
    TextOptions::default().set_indexing_options(indexing)
}
