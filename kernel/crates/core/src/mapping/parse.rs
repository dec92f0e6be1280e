//! One pass over the JSON of a document, straight into index values.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use super::docs::Docs;
use super::fault::Fault;
use super::json::{Reader, SOURCE, Token};
use super::leaf::{self, Parsed};
use super::preview::preview;
use super::tree::{Dynamic, Leaf, Node, ObjectNode};
use super::types::{DocError, FieldKind, IndexValue, Mapping, ParsedDoc};
use super::unknown::Unknown;

impl Mapping {
    /// From the source of a document to its tantivy documents; see [`ParsedDoc`] for what they hold.
    pub fn parse(&self, id: &str, routing: Option<&str>, source: &[u8]) -> Result<ParsedDoc, DocError> {
        let invalid = |fault: Fault| DocError::Invalid(fault.into_error());
        if source.is_empty() {
            return Err(invalid(Fault::mapper("failed to parse, document is empty")));
        }
        let text = std::str::from_utf8(source).map_err(|e| invalid(bad_utf8(source, e)))?;
        let mut walk = Walk::new(self, id, text);
        walk.docs.push(self.system.id, IndexValue::Str(id.to_owned()));
        if let Some(routing) = routing {
            walk.docs.push(self.system.routing, IndexValue::Str(routing.to_owned()));
        }
        walk.document().map_err(invalid)?;
        if walk.unknown.is_empty() {
            Ok(ParsedDoc { docs: walk.docs.into_docs() })
        } else {
            Err(DocError::Unknown(walk.unknown.into_fields()))
        }
    }

    /// Of a document that was accepted once, whatever the mapping accepts now: unmapped fields are skipped, values that do not fit are
    /// ignored as under `ignore_malformed`, limits do not hold.
    pub fn parse_accepted(&self, id: &str, routing: Option<&str>, source: &[u8]) -> ParsedDoc {
        let text = std::str::from_utf8(source).unwrap_or_default();
        for text in [text, "{}"] {
            let mut walk = Walk::new(self, id, text);
            walk.accepts_all = true;
            walk.docs.push(self.system.id, IndexValue::Str(id.to_owned()));
            if let Some(routing) = routing {
                walk.docs.push(self.system.routing, IndexValue::Str(routing.to_owned()));
            }
            if walk.document().is_ok() {
                return ParsedDoc { docs: walk.docs.into_docs() };
            }
        }
        unreachable!("an empty object is a document")
    }
}

fn bad_utf8(source: &[u8], e: std::str::Utf8Error) -> Fault {
    let at = e.valid_up_to();
    let byte = source[at];
    let what = if byte & 0xC0 == 0x80 || byte >= 0xF8 { "start" } else { "middle" };
    Fault::new("json_parse_exception", format!("Invalid UTF-8 {what} byte 0x{byte:x} at offset {at}"))
}

pub(super) struct Walk<'m, 'a> {
    pub(super) mapping: &'m Mapping,
    pub(super) id: &'a str,
    pub(super) json: Reader<'a>,
    docs: Docs<'m>,
    pub(super) unknown: Unknown,
    nested_count: usize,
    pub(super) depth: usize,
    /// Nothing is refused but broken JSON.
    pub(super) accepts_all: bool,
    /// Member names of the objects that are open, innermost last, to refuse duplicates.
    pub(super) keys: Vec<Cow<'a, str>>,
    /// The names of large open objects once more, with where they begin in `keys`.
    key_sets: Vec<(usize, FxHashSet<Cow<'a, str>>)>,
}

pub(super) type Done = Result<(), Fault>;

impl<'m, 'a> Walk<'m, 'a> {
    fn new(mapping: &'m Mapping, id: &'a str, text: &'a str) -> Self {
        Self {
            mapping,
            id,
            json: Reader::new(text),
            docs: Docs::new(&mapping.tree, mapping.system),
            unknown: Unknown::default(),
            nested_count: 0,
            depth: 0,
            accepts_all: false,
            keys: Vec::with_capacity(32),
            key_sets: vec![],
        }
    }

    fn document(&mut self) -> Done {
        let root = &self.mapping.tree.root;
        if self.json.peek() != Some(b'{') {
            let reason = "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes";
            return Err(Fault::new("not_x_content_exception", reason));
        }
        self.json.value()?;
        if root.enabled {
            self.members(root)?;
        } else {
            self.json.skip_rest(&Token::ObjectStart)?;
        }
        if self.json.peek().is_some() {
            let token = self.json.value()?;
            let name = leaf::token_name(&token);
            return Err(Fault::argument(format!("Malformed content, found extra data after parsing: {name}")));
        }
        Ok(())
    }

    /// The next member name of an open object, refused if it came before. `from` is where this object's names begin in `keys`.
    #[inline]
    pub(super) fn key(&mut self, from: usize, first: &mut bool) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(key) = self.json.next_key(first)? else {
            self.keys.truncate(from);
            self.key_sets.pop_if(|(owner, _)| *owner == from);
            return Ok(None);
        };
        if !self.accepts_all && self.is_duplicate(from, &key) {
            return Err(self.json.error_before_colon(format!("Duplicate field '{key}'")).into());
        }
        self.keys.push(key.clone());
        Ok(Some(key))
    }

    /// Few names are compared one by one, many are looked up.
    #[inline]
    fn is_duplicate(&mut self, from: usize, key: &str) -> bool {
        let own = &self.keys[from..];
        if own.len() < 64 {
            return own.iter().any(|known| known == key);
        }
        if self.key_sets.last().is_none_or(|(owner, _)| *owner != from) {
            self.key_sets.push((from, own.iter().cloned().collect()));
        }
        self.key_sets.last_mut().is_some_and(|(_, set)| !set.insert(Cow::Owned(key.to_owned())))
    }

    fn members(&mut self, object: &'m ObjectNode) -> Done {
        self.enter()?;
        let (from, mut first) = (self.keys.len(), true);
        while let Some(key) = self.key(from, &mut first)? {
            match object.children.get(key.as_ref()) {
                Some(node) => self.node(object, node, &key)?,
                None => self.unmapped(object, &key)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Done {
        self.depth += 1;
        let limit = self.mapping.tree.limits.depth;
        if self.depth > limit && !self.accepts_all {
            return Err(Fault::mapper(format!(
                "The depth of the field has exceeded the allowed limit of [{limit}]. This limit can be set by changing the \
                 [index.mapping.depth.limit] index level setting."
            )));
        }
        Ok(())
    }

    pub(super) fn node(&mut self, parent: &'m ObjectNode, node: &'m Node, key: &str) -> Done {
        match node {
            Node::Leaf(leaf) => self.leaf_value(leaf),
            Node::Object(object) => self.object_value(object, Some(key)),
            Node::Alias if self.accepts_all => Ok(self.json.skip_value()?),
            Node::Alias => {
                let path = super::compile::join_path(&parent.path, key);
                Err(Fault::mapper("failed to parse")
                    .caused_by(Fault::argument(format!("Cannot write to a field alias [{path}]."))))
            }
        }
    }

    /// `name` (possibly dotted) is missing below `object`.
    pub(super) fn grow(&mut self, object: &'m ObjectNode, name: &str) -> Done {
        match object.dynamic {
            _ if self.accepts_all => Ok(self.json.skip_value()?),
            Dynamic::Ignore => Ok(self.json.skip_value()?),
            Dynamic::Strict => {
                let head = name.split('.').next().unwrap_or(name);
                Err(strict(&object.path, head))
            }
            Dynamic::Grow => {
                let path = super::compile::join_path(&object.path, name);
                self.unknown_value(&path)
            }
        }
    }

    fn object_value(&mut self, object: &'m ObjectNode, key: Option<&str>) -> Done {
        if !object.enabled {
            return Ok(self.json.skip_value()?);
        }
        match self.json.value()? {
            Token::ObjectStart => match object.nested {
                Some(nested) => {
                    self.count_nested()?;
                    self.docs.open(&object.path);
                    self.members(object)?;
                    self.docs.close(nested);
                    Ok(())
                }
                None => self.members(object),
            },
            Token::ArrayStart => {
                let mut first = true;
                while self.json.next_item(&mut first)? {
                    self.object_value(object, None)?;
                }
                Ok(())
            }
            Token::Null => Ok(()),
            _ if self.accepts_all => Ok(()),
            _ => Err(Fault::mapper(format!(
                "object mapping for [{}] tried to parse field [{}] as object, but found a concrete value",
                object.path,
                key.unwrap_or("null")
            ))),
        }
    }

    fn count_nested(&mut self) -> Done {
        self.nested_count += 1;
        let limit = self.mapping.tree.limits.nested_objects;
        if self.nested_count > limit && !self.accepts_all {
            return Err(Fault::mapper(format!(
                "The number of nested documents has exceeded the allowed limit of [{limit}]. This limit can be set by changing the \
                 [index.mapping.nested_objects.limit] index level setting."
            )));
        }
        Ok(())
    }

    /// The value or values of a leaf; arrays of arrays count as one array.
    fn leaf_value(&mut self, leaf: &'m Leaf) -> Done {
        self.json.skip_ws();
        let at = self.json.pos();
        if leaf.opaque {
            self.json.skip_value()?;
            if self.json.slice(at, self.json.pos()) != "null" {
                self.present(leaf);
            }
            return Ok(());
        }
        let quoted = self.json.peek() == Some(b'"');
        let token = match self.json.value() {
            Ok(token) => token,
            Err(broken) if quoted => return Err(self.wrapped(leaf, "", broken.into())),
            Err(broken) => return Err(broken.into()),
        };
        if token == Token::ArrayStart {
            let mut first = true;
            while self.json.next_item(&mut first)? {
                self.leaf_value(leaf)?;
            }
            return Ok(());
        }
        self.scalar(leaf, &token, at)
    }

    /// One value: the leaf itself, its multi-fields, its copies. `at` is where the value starts.
    fn scalar(&mut self, leaf: &'m Leaf, token: &Token<'a>, at: usize) -> Done {
        self.index(leaf, token, at)?;
        for target in &leaf.copy_to {
            self.copy_to(target, token, at)?;
        }
        Ok(())
    }

    fn index(&mut self, leaf: &'m Leaf, token: &Token<'a>, at: usize) -> Done {
        match leaf::parse(leaf, token) {
            Ok(Parsed::Value(value)) => self.add(leaf, value),
            Ok(Parsed::Present) => self.present(leaf),
            Ok(Parsed::Nothing) => {}
            Ok(Parsed::Ignored) => {
                self.docs.push_root(self.mapping.system.ignored, IndexValue::Str(leaf.def.path.clone()));
                self.json.skip_rest(token)?;
                if matches!(token, Token::ObjectStart) {
                    return Ok(());
                }
            }
            Err(_) if self.accepts_all => {
                self.docs.push_root(self.mapping.system.ignored, IndexValue::Str(leaf.def.path.clone()));
                return Ok(self.json.skip_rest(token)?);
            }
            Err(fault) => return Err(self.failed(leaf, token, at, fault)),
        }
        for sub in &leaf.multi {
            self.index(sub, token, at)?;
        }
        Ok(())
    }

    #[inline]
    fn add(&mut self, leaf: &'m Leaf, value: IndexValue) {
        let nested = leaf.def.nested.as_deref().unwrap_or("");
        if let Some(field) = leaf.field {
            self.docs.push_at(nested, field, value);
        }
        self.present(leaf);
    }

    /// Notes the field where `exists` looks for it.
    #[inline]
    fn present(&mut self, leaf: &'m Leaf) {
        if leaf.field_names {
            let nested = leaf.def.nested.as_deref().unwrap_or("");
            self.docs.push_at(nested, self.mapping.system.field_names, IndexValue::Str(leaf.def.path.clone()));
        }
    }

    #[cold]
    fn failed(&mut self, leaf: &Leaf, token: &Token<'a>, at: usize, fault: Fault) -> Fault {
        let fault = match fault.kind {
            "illegal_state_exception" => self.located(fault, at),
            "json_parse_exception" | "input_coercion_exception" => self.located(fault, self.json.pos()),
            _ => fault,
        };
        if let Err(broken) = self.json.skip_rest(token) {
            return broken.into();
        }
        if fault.is_immense() {
            return fault;
        }
        let shown = match token {
            // Java has read the number as a float by then.
            Token::Num(n) if is_float(leaf) && n.parse::<f32>().is_ok_and(f32::is_infinite) => "Infinity".to_owned(),
            _ => preview(self.json.slice(at, self.json.pos())),
        };
        self.wrapped(leaf, &shown, fault)
    }

    fn wrapped(&self, leaf: &Leaf, shown: &str, fault: Fault) -> Fault {
        Fault::mapper(format!(
            "failed to parse field [{}] of type [{}] in document with id '{}'. Preview of field's value: '{shown}'",
            leaf.def.path,
            super::compile::type_of(&leaf.def.params),
            self.id
        ))
        .caused_by(fault)
    }

    /// Faults of the parser name the place.
    fn located(&self, mut fault: Fault, at: usize) -> Fault {
        let (line, column) = self.json.location(at);
        if fault.kind == "illegal_state_exception" {
            fault.reason = format!("{} at {line}:{column}", fault.reason);
        } else {
            fault.reason = format!("{}\n at [Source: {SOURCE}; line: {line}, column: {column}]", fault.reason);
        }
        fault
    }

    fn copy_to(&mut self, target: &str, token: &Token<'a>, at: usize) -> Done {
        if let Some(leaf) = self.mapping.tree.leaf(target) {
            return self.index(leaf, token, at);
        }
        if *token == Token::Null || self.accepts_all {
            return Ok(());
        }
        match self.mapping.tree.nearest(target) {
            (_, Dynamic::Grow) => {
                self.unknown.scalar(target, token);
                Ok(())
            }
            (_, Dynamic::Ignore) => Ok(()),
            (object, Dynamic::Strict) => {
                let below = target.strip_prefix(object.path.as_str()).unwrap_or(target).trim_start_matches('.');
                Err(strict(&object.path, below.split('.').next().unwrap_or(below)))
            }
        }
    }
}

fn is_float(leaf: &Leaf) -> bool {
    matches!(leaf.def.kind, FieldKind::Float | FieldKind::HalfFloat)
}

fn strict(path: &str, name: &str) -> Fault {
    let within = if path.is_empty() { "_doc" } else { path };
    Fault::new(
        "strict_dynamic_mapping_exception",
        format!("mapping set to strict, dynamic introduction of [{name}] within [{within}] is not allowed"),
    )
}
