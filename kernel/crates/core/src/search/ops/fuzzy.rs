//! `fuzzy`: terms within a few edits of a text, the nearest of them scored as if all were as frequent as the most frequent.

use std::fmt;
use std::sync::OnceLock;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use rustc_hash::FxHashMap;
use tantivy::schema::{Field, Term};

use super::automaton::{accepted_terms, string_field, walk_cost};
use super::boolean::sum_of;
use super::constant::NoneQuery;
use super::term::TermQuery;
use super::terms::AnyTerm;
use super::{Mark, MarkKind, Operation};
use crate::Result;
use crate::interrupt;
use crate::search::query::{BoxQuery, Context};
use crate::search::score::TermStates;

fn yes() -> bool {
    true
}

fn fifty() -> usize {
    50
}

operation! {
    /// The nearest terms, up to `max_expansions`.
    pub struct Fuzzy {
        pub field: String,
        pub value: String,
        pub edits: u8,
        #[serde(default)]
        pub prefix_length: usize,
        #[serde(default = "fifty")]
        pub max_expansions: usize,
        #[serde(default = "yes")]
        pub transpositions: bool,
        #[serde(default)]
        pub constant: bool,
        /// Made once for all shards and all runs of the plan: it is costly.
        #[serde(skip)]
        pub near: OnceLock<Near>,
    }
}

/// A term found.
struct Candidate {
    text: String,
    /// What the distance leaves of the score.
    boost: f32,
    term: Term,
    states: TermStates,
}

impl Operation for Fuzzy {
    /// With few edits most of a dictionary is out of reach, however large it is.
    fn expansion(&self, context: &Context<'_>) -> Result<u64> {
        let reach = [64, 8_000, 200_000][usize::from(self.edits.min(2))];
        Ok(walk_cost(context, &self.field)?.min(reach * context.shard.segments.len() as u64))
    }

    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let Some((path, field)) = string_field(context, &self.field)? else {
            return Ok(NoneQuery::unmapped(&self.field));
        };
        let found = self.expand(context, field)?;
        if found.is_empty() {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"empty BooleanQuery\")"));
        }
        if self.constant || !context.scoring {
            let segments = context.shard.segments.len();
            let infos = (0..segments)
                .map(|ord| found.iter().filter_map(|candidate| candidate.states.infos[ord].clone()).collect())
                .collect();
            return Ok(Box::new(AnyTerm::found(&path, field, infos, boost)));
        }
        let Some(def) = context.field(&self.field) else { return Ok(NoneQuery::unmapped(&self.field)) };
        let most = found.iter().map(|candidate| candidate.states.doc_freq).max().unwrap_or(1);
        let mut clauses: Vec<BoxQuery> = Vec::with_capacity(found.len());
        for Candidate { text, boost: nearness, term, states } in found {
            let clause = TermQuery::blended(context, def, term, text, states, most, boost * nearness)?;
            clauses.push(Box::new(clause));
        }
        Ok(sum_of(clauses, context.scoring))
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        let what = MarkKind::Fuzzy {
            text: self.value.clone(),
            edits: self.edits,
            prefix: self.prefix_length,
            transpositions: self.transpositions,
        };
        out.push(Mark { field: self.field.clone(), what, boost: self.boost });
    }
}

impl Fuzzy {
    /// The best terms over all segments: by boost, then in their own order.
    fn expand(&self, context: &Context<'_>, field: Field) -> Result<Vec<Candidate>> {
        interrupt::check()?;
        let near =
            self.near.get_or_init(|| Near::new(&self.value, self.edits, self.prefix_length, self.transpositions));
        let mut found: FxHashMap<String, f32> = FxHashMap::default();
        for segment in &context.shard.segments {
            accepted_terms(segment, field, near, &mut |term| {
                let Ok(text) = std::str::from_utf8(term) else { return };
                let Some(boost) = near.boost(text) else { return };
                found.insert(text.to_owned(), boost);
            })?;
        }
        let mut found: Vec<(String, f32)> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(self.max_expansions);
        found
            .into_iter()
            .map(|(text, boost)| {
                let term = Term::from_field_text(field, &text);
                let states = context.states(&term)?;
                Ok(Candidate { text, boost, term, states })
            })
            .collect()
    }
}

/// Texts within some edits of another, behind a common prefix.
pub struct Near {
    prefix: String,
    length: usize,
    dfa: DFA,
}

impl fmt::Debug for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").field("prefix", &self.prefix).field("length", &self.length).finish_non_exhaustive()
    }
}

impl Near {
    pub fn new(text: &str, edits: u8, prefix_length: usize, transpositions: bool) -> Self {
        let split = text.char_indices().nth(prefix_length).map_or(text.len(), |(at, _)| at);
        let dfa = builder(edits.min(2), transpositions).build_dfa(&text[split..]);
        Near { prefix: text[..split].to_owned(), length: text.chars().count(), dfa }
    }

    /// Edits between the texts; None if there are too many.
    pub fn distance(&self, text: &str) -> Option<u8> {
        let rest = text.strip_prefix(self.prefix.as_str())?;
        match self.dfa.eval(rest) {
            Distance::Exact(edits) => Some(edits),
            Distance::AtLeast(_) => None,
        }
    }

    /// Lucene's boost of a near term.
    fn boost(&self, text: &str) -> Option<f32> {
        Some(match self.distance(text)? {
            0 => 1.0,
            edits => 1.0 - f32::from(edits) / text.chars().count().min(self.length) as f32,
        })
    }
}

/// Tables are costly to make and the same for all texts.
fn builder(edits: u8, transpositions: bool) -> &'static LevenshteinAutomatonBuilder {
    static BUILDERS: [OnceLock<LevenshteinAutomatonBuilder>; 6] = [const { OnceLock::new() }; 6];
    let at = usize::from(edits) * 2 + usize::from(transpositions);
    BUILDERS[at].get_or_init(|| LevenshteinAutomatonBuilder::new(edits, transpositions))
}

/// Bytes of the prefix read, or a state of what follows.
#[derive(Clone, Copy)]
pub enum State {
    Prefix(usize),
    Rest(u32),
    Dead,
}

impl tantivy_fst::Automaton for Near {
    type State = State;

    fn start(&self) -> State {
        if self.prefix.is_empty() { State::Rest(self.dfa.initial_state()) } else { State::Prefix(0) }
    }

    fn is_match(&self, state: &State) -> bool {
        matches!(state, State::Rest(state) if matches!(self.dfa.distance(*state), Distance::Exact(_)))
    }

    fn can_match(&self, state: &State) -> bool {
        !matches!(state, State::Dead | State::Rest(SINK_STATE))
    }

    fn accept(&self, state: &State, byte: u8) -> State {
        match state {
            State::Prefix(read) if self.prefix.as_bytes()[*read] != byte => State::Dead,
            State::Prefix(read) if read + 1 == self.prefix.len() => State::Rest(self.dfa.initial_state()),
            State::Prefix(read) => State::Prefix(read + 1),
            State::Rest(state) => State::Rest(self.dfa.transition(*state, byte)),
            State::Dead => State::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let near = Near::new("quick", 2, 1, true);
        assert_eq!(near.distance("quick"), Some(0));
        assert_eq!(near.distance("qiuck"), Some(1));
        assert_eq!(near.distance("quickly"), Some(2));
        assert_eq!(near.distance("wuick"), None);
        assert_eq!(near.boost("quik"), Some(0.75));
        assert_eq!(Near::new("quick", 1, 0, false).distance("qiuck"), None);
    }
}
