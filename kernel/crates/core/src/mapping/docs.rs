//! The tantivy documents of one source while they are being filled: the root, and a stack of nested ones.

use smallvec::SmallVec;
use tantivy::schema::Field;

use super::tree::{Many, Nested, Tree};
use super::types::{IndexDoc, IndexValue, SystemFields};

struct Open<'m> {
    /// Nested path; empty for the root.
    path: &'m str,
    values: Vec<(Field, IndexValue)>,
    /// One bit per field that has a value.
    seen: SmallVec<[u64; 8]>,
    /// Some field has several values.
    many: bool,
}

pub struct Docs<'m> {
    tree: &'m Tree,
    system: SystemFields,
    open: Vec<Open<'m>>,
    done: Vec<IndexDoc>,
}

impl<'m> Docs<'m> {
    pub fn new(tree: &'m Tree, system: SystemFields) -> Self {
        let mut docs = Self { tree, system, open: Vec::with_capacity(2), done: vec![] };
        docs.open("");
        docs
    }

    /// Begins a nested document (or the root).
    pub fn open(&mut self, path: &'m str) {
        let words = self.tree.many.len().div_ceil(64);
        self.open.push(Open { path, values: Vec::with_capacity(16), seen: SmallVec::from_elem(0, words), many: false });
    }

    /// Ends the innermost nested document.
    pub fn close(&mut self, nested: Nested) {
        let Some(child) = self.open.pop() else {
            return;
        };
        let parent = self.open.len() - 1;
        if nested.include_in_parent {
            self.copy(&child.values, parent);
        }
        if nested.include_in_root && !(nested.include_in_parent && parent == 0) {
            self.copy(&child.values, 0);
        }
        let path = child.path;
        let mut doc = self.finish(child);
        doc.values.push((self.system.nested, IndexValue::Str(path.to_owned())));
        self.done.push(doc);
    }

    fn copy(&mut self, values: &[(Field, IndexValue)], to: usize) {
        for (field, value) in values {
            self.push_to(to, *field, value.clone());
        }
    }

    /// Adds to the innermost document.
    #[inline]
    pub fn push(&mut self, field: Field, value: IndexValue) {
        self.push_to(self.open.len() - 1, field, value);
    }

    /// Adds to the innermost open document that a leaf of the nested object `path` may stand in.
    pub fn push_at(&mut self, path: &str, field: Field, value: IndexValue) {
        let at =
            self.open.iter().rposition(|open| open.path.is_empty() || open.path == path || is_below(path, open.path));
        self.push_to(at.unwrap_or(0), field, value);
    }

    pub fn push_root(&mut self, field: Field, value: IndexValue) {
        self.push_to(0, field, value);
    }

    #[inline]
    fn push_to(&mut self, at: usize, field: Field, value: IndexValue) {
        let open = &mut self.open[at];
        let id = field.field_id() as usize;
        let bit = 1u64 << (id % 64);
        let word = &mut open.seen[id / 64];
        open.many |= *word & bit != 0;
        *word |= bit;
        open.values.push((field, value));
    }

    /// The children in their order, the root last.
    pub fn into_docs(mut self) -> Vec<IndexDoc> {
        if let Some(root) = self.open.pop() {
            let doc = self.finish(root);
            self.done.push(doc);
        }
        self.done
    }

    fn finish(&self, open: Open<'m>) -> IndexDoc {
        if !open.many {
            return IndexDoc { values: open.values };
        }
        let mut values = open.values;
        values.sort_by_key(|(field, _)| field.field_id());
        let mut doc = IndexDoc { values: Vec::with_capacity(values.len()) };
        let mut rest = values.into_iter().peekable();
        while let Some((field, first)) = rest.next() {
            if rest.peek().is_none_or(|(next, _)| *next != field) {
                doc.values.push((field, first));
                continue;
            }
            let mut run = vec![first];
            while let Some((_, value)) = rest.next_if(|(next, _)| *next == field) {
                run.push(value);
            }
            self.settle(field, run, &mut doc);
        }
        doc
    }

    fn settle(&self, field: Field, mut run: Vec<IndexValue>, doc: &mut IndexDoc) {
        match &self.tree.many[field.field_id() as usize] {
            Many::Keep => {}
            Many::Sort => run.sort_by(compare),
            Many::SortUnique => {
                run.sort_by(compare);
                run.dedup();
            }
            Many::Join(analyzer, gap) => {
                let texts: Vec<&str> = run
                    .iter()
                    .filter_map(|value| if let IndexValue::Str(s) = value { Some(s.as_str()) } else { None })
                    .collect();
                run = vec![IndexValue::Tokens(analyzer.join(&texts, *gap))];
            }
        }
        doc.values.extend(run.into_iter().map(|value| (field, value)));
    }
}

fn is_below(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with('.'))
}

fn compare(a: &IndexValue, b: &IndexValue) -> std::cmp::Ordering {
    use IndexValue::{Bool, F64, I64, Ip, Str, U64};
    match (a, b) {
        (Str(a), Str(b)) => a.cmp(b),
        (I64(a), I64(b)) => a.cmp(b),
        (U64(a), U64(b)) => a.cmp(b),
        (F64(a), F64(b)) => a.total_cmp(b),
        (Bool(a), Bool(b)) => a.cmp(b),
        (Ip(a), Ip(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}
