//! The terms of a dictionary that an automaton accepts.
//!
//! tantivy's own stream decodes a node before it asks whether the automaton can go there. Automata of fuzzy queries die after a few
//! bytes: most of that work is for nothing, and most of the time of such a query. This walk asks first.

use std::sync::Arc;

use tantivy::directory::{CompositeFile, OwnedBytes};
use tantivy::index::SegmentComponent;
use tantivy::schema::Field;
use tantivy_fst::Automaton;
use tantivy_fst::raw::{Fst, Node};

use crate::interrupt::Patience;
use crate::reader::Segment;
use crate::search::docs::cached;
use crate::{Error, Result};

/// Behind the transducer and the places of postings: u64 length of those, u32 version, u32 kind of dictionary.
const FOOTER: usize = 16;

type Transducer = Fst<OwnedBytes>;

/// Calls back with each accepted term of a segment, in the order of terms. Fails if the search has to stop.
pub fn accepted_terms<A: Automaton>(
    segment: &Segment,
    field: Field,
    automaton: &A,
    found: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    if let Some(transducer) = &*transducer(segment, field)? {
        walk(transducer, automaton, found)?;
    }
    Ok(())
}

/// The transducer of a field's terms; None if the segment has no such terms.
fn transducer(segment: &Segment, field: Field) -> Result<Arc<Option<Transducer>>> {
    let name = segment.reader.schema().get_field_name(field);
    cached(segment, &format!("transducer/{name}"), || {
        let file = segment.reader.open_read(SegmentComponent::Terms).map_err(tantivy::TantivyError::from)?;
        let Some(part) = CompositeFile::open(&file)?.open_read(field) else { return Ok(None) };
        let bytes = part.read_bytes()?;
        let damaged = || Error::corruption("term dictionary", bytes.len() as u64, "it cannot be read");
        let length = bytes
            .len()
            .checked_sub(FOOTER)
            .and_then(|end| Some((end, u64::from_le_bytes(bytes.get(end..end + 8)?.try_into().ok()?))))
            .and_then(|(end, places)| end.checked_sub(usize::try_from(places).ok()?))
            .ok_or_else(damaged)?;
        let transducer = Fst::new(bytes.slice(0..length)).map_err(|_| damaged())?;
        let terms = segment.reader.inverted_index(field)?.terms().num_terms();
        if transducer.len() == terms { Ok(Some(transducer)) } else { Err(damaged()) }
    })
}

/// A node on the way, and what is left of it.
struct Step<'f, S> {
    node: Node<'f>,
    next: usize,
    state: S,
}

fn walk<A: Automaton>(transducer: &Transducer, automaton: &A, found: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut patience = Patience::default();
    let mut term: Vec<u8> = Vec::new();
    let root = Step { node: transducer.root(), next: 0, state: automaton.start() };
    if root.node.is_final() && automaton.is_match(&root.state) {
        found(&term);
    }
    // A stack of its own: terms may be as long as 32 KiB.
    let mut way = vec![root];
    while let Some(step) = way.last_mut() {
        patience.turn()?;
        if step.next == step.node.len() {
            way.pop();
            term.pop();
            continue;
        }
        let transition = step.node.transition(step.next);
        step.next += 1;
        let state = automaton.accept(&step.state, transition.inp);
        if !automaton.can_match(&state) {
            continue;
        }
        let node = transducer.node(transition.addr);
        term.push(transition.inp);
        if node.is_final() && automaton.is_match(&state) {
            found(&term);
        }
        way.push(Step { node, next: 0, state });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::search::ops::{Near, Pattern};
    use crate::testkit::{mapping, reader};

    fn walked<A: Automaton>(segment: &Segment, field: Field, automaton: &A) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        accepted_terms(segment, field, automaton, &mut |term| found.push(term.to_vec())).unwrap();
        found
    }

    fn streamed<A: Automaton>(segment: &Segment, field: Field, automaton: A) -> Vec<Vec<u8>>
    where
        A::State: Clone,
    {
        let index = segment.reader.inverted_index(field).unwrap();
        let mut stream = index.terms().search(automaton).into_stream().unwrap();
        let mut found = Vec::new();
        while stream.advance() {
            found.push(stream.key().to_vec());
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_walk_finds_what_a_stream_finds(
            terms in prop::collection::vec("[abcü]{1,6}", 0..60),
            wanted in "[abcü]{1,6}", edits in 0u8..3, prefix in 0usize..3, pattern in "[abü*?]{1,5}",
        ) {
            let mapping = mapping(json!({"properties": {"tag": {"type": "keyword"}, "other": {"type": "keyword"}}}));
            let docs: Vec<Value> = terms.iter().map(|term| json!({"tag": term})).collect();
            let shard = reader(&mapping, &[&docs]);
            let Some(segment) = shard.segments.first() else { return Ok(()) };
            let field = mapping.fields["tag"].field.unwrap();
            let near = Near::new(&wanted, edits, prefix, true);
            prop_assert_eq!(walked(segment, field, &near), streamed(segment, field, &near));
            let pattern = Pattern::wildcard(&pattern, false);
            prop_assert_eq!(walked(segment, field, &pattern.automaton()), streamed(segment, field, pattern.automaton()));
            let other = mapping.fields["other"].field.unwrap();
            prop_assert_eq!(walked(segment, other, &pattern.automaton()), Vec::<Vec<u8>>::new());
        }
    }
}
