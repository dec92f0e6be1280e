//! Names of members that the mapping has no child for: metadata, dotted paths, names that are none.

use super::compile::join_path;
use super::fault::Fault;
use super::parse::{Done, Walk};
use super::preview::preview;
use super::tree::{Node, ObjectNode};

const METADATA: [&str; 11] = [
    "_id",
    "_index",
    "_routing",
    "_source",
    "_field_names",
    "_ignored",
    "_nested_path",
    "_seq_no",
    "_primary_term",
    "_version",
    "_data_stream_timestamp",
];

impl<'m> Walk<'m, '_> {
    /// A name without a child of its own: metadata, a dotted path, or a field that the mapping lacks.
    pub(super) fn unmapped(&mut self, object: &'m ObjectNode, key: &str) -> Done {
        if self.accepts_all && (METADATA.contains(&key) || self.check_name(key).is_err()) {
            return Ok(self.json.skip_value()?);
        }
        if object.path.is_empty() && METADATA.contains(&key) {
            return Err(self.metadata(key));
        }
        self.check_name(key)?;
        if key.contains('.') { self.dotted(object, key) } else { self.grow(object, key) }
    }

    #[cold]
    fn metadata(&mut self, key: &str) -> Fault {
        self.json.skip_ws();
        let at = self.json.pos();
        if let Err(broken) = self.json.skip_value() {
            return broken.into();
        }
        let shown = preview(self.json.slice(at, self.json.pos()));
        let id = self.id;
        Fault::mapper(format!(
            "failed to parse field [{key}] of type [{key}] in document with id '{id}'. Preview of field's value: '{shown}'"
        ))
        .caused_by(Fault::mapper(format!(
            "Field [{key}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
        )))
    }

    pub(super) fn check_name(&self, key: &str) -> Done {
        if key.is_empty() {
            return Err(Fault::argument("field name cannot be an empty string"));
        }
        if key.contains('.') && key.split('.').any(|part| !part.is_empty() && part.trim().is_empty()) {
            return Err(Fault::argument(format!("object field cannot contain only whitespace: ['{key}']")));
        }
        if key.bytes().all(|b| b == b'.') {
            return Err(Fault::argument("field name cannot contain only the character [.]"));
        }
        // A dot at the end is cut off, as Java's split does.
        let kept = key.trim_end_matches('.');
        if kept.is_empty() || kept.starts_with('.') || kept.contains("..") {
            return Err(Fault::argument(format!(
                "object field starting or ending with a [.] makes object resolution ambiguous: [{key}]"
            )));
        }
        Ok(())
    }

    fn dotted(&mut self, from: &'m ObjectNode, key: &str) -> Done {
        let mut object = from;
        let mut rest = key.trim_end_matches('.');
        while let Some((head, tail)) = rest.split_once('.') {
            match object.children.get(head) {
                Some(Node::Object(child)) => {
                    if child.nested.is_some() && self.accepts_all {
                        return Ok(self.json.skip_value()?);
                    }
                    if child.nested.is_some() {
                        return Err(Fault::mapper(format!(
                            "Cannot add a value for field [{key}] since one of the intermediate objects is mapped as a nested object: [{}]",
                            child.path
                        )));
                    }
                    if !child.enabled {
                        return Ok(self.json.skip_value()?);
                    }
                    object = child;
                    rest = tail;
                }
                Some(_) if self.accepts_all => return Ok(self.json.skip_value()?),
                Some(_) => {
                    let path = join_path(&object.path, head);
                    return Err(Fault::mapper(format!(
                        "Could not dynamically add mapping for field [{key}]. Existing mapping for [{path}] must be of type object but found [{}].",
                        self.mapping.field(&path).map_or("alias", |def| def.kind.name())
                    )));
                }
                None => return self.grow(object, rest),
            }
        }
        match object.children.get(rest) {
            Some(node) => self.node(object, node, rest),
            None => self.grow(object, rest),
        }
    }
}
