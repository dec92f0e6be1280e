//! Filters that put words together or take them apart: `common_grams`, `dictionary_decompounder`, `multiplexer`, `flatten_graph`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Filter;
use super::select::{Unique, Words};
use crate::analysis::tokens::{Kind, Tok, Tokens};

/// Pairs of neighbours of which one is a frequent word.
pub struct CommonGrams {
    pub common: Words,
    /// Only the pairs, and words that are in none.
    pub query_mode: bool,
}

impl Filter for CommonGrams {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        let common: Vec<bool> = old.iter().map(|tok| self.common.contains(tokens.text(tok))).collect();
        let paired = |i: usize| i + 1 < old.len() && (common[i] || common[i + 1]);
        for (i, tok) in old.iter().enumerate() {
            let covered = paired(i) || (i + 1 == old.len() && i > 0 && paired(i - 1));
            if !(self.query_mode && covered) {
                tokens.toks.push(*tok);
            }
            if paired(i) {
                let term = [tokens.text(tok), "_", tokens.text(&old[i + 1])].concat();
                let (at, len) = tokens.store(&term);
                let (inc, pos_len) = if self.query_mode { (tok.inc, 1) } else { (0, 2) };
                tokens.toks.push(Tok { at, len, inc, pos_len, end: old[i + 1].end, kind: Kind::Gram, ..*tok });
            }
        }
    }
}

/// Words of a list that stand in a longer word.
pub struct Decompounder {
    pub words: Words,
    pub min_word: usize,
    pub min_part: usize,
    pub max_part: usize,
    pub only_longest: bool,
}

impl Filter for Decompounder {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        for tok in old {
            tokens.toks.push(tok);
            let term = tokens.text(&tok);
            let bounds: Vec<u32> = term.char_indices().map(|(at, _)| at as u32).chain([tok.len]).collect();
            let count = bounds.len() - 1;
            if count < self.min_word {
                continue;
            }
            let mut parts = vec![];
            for from in 0..=count.saturating_sub(self.min_part) {
                let mut found = vec![];
                for to in from + self.min_part..=count.min(from + self.max_part) {
                    if self.words.contains(&term[bounds[from] as usize..bounds[to] as usize]) {
                        found.push((bounds[from], bounds[to]));
                    }
                }
                let kept = if self.only_longest { found.len().saturating_sub(1) } else { 0 };
                parts.extend_from_slice(&found[kept..]);
            }
            let part = |(from, to): (u32, u32)| Tok { at: tok.at + from, len: to - from, inc: 0, ..tok };
            tokens.toks.extend(parts.into_iter().map(part));
        }
    }
}

/// Several chains of filters side by side, at the same position.
pub struct Multiplexer {
    pub chains: Vec<Vec<Arc<dyn Filter>>>,
    pub preserve_original: bool,
}

impl Filter for Multiplexer {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        let mut carried = 0;
        for tok in old {
            carried += tok.inc;
            let mut put =
                |tokens: &mut Tokens, tok: Tok| tokens.toks.push(Tok { inc: std::mem::take(&mut carried), ..tok });
            if self.preserve_original {
                put(tokens, tok);
            }
            for chain in &self.chains {
                let mut alone = Tokens { text_len: tokens.text_len, ..Tokens::default() };
                let (at, len) = alone.store(tokens.text(&tok));
                alone.toks.push(Tok { at, len, inc: 1, ..tok });
                chain.iter().for_each(|filter| filter.apply(&mut alone));
                for made in &alone.toks {
                    let (at, len) = tokens.store(alone.text(made));
                    put(tokens, Tok { at, len, ..*made });
                }
            }
        }
        tokens.end_inc += carried;
        Unique { only_on_same_position: true }.apply(tokens);
    }
}

/// A graph of tokens as a line: each node as far from the start as its longest path.
pub struct FlattenGraph;

impl Filter for FlattenGraph {
    fn apply(&self, tokens: &mut Tokens) {
        // From nodes of the graph to positions of the line.
        let mut places: FxHashMap<u32, u32> = FxHashMap::default();
        let mut node = 0;
        let mut last_node = None;
        let spans: Vec<(u32, u32)> = tokens
            .toks
            .iter()
            .map(|tok| {
                node += tok.inc;
                (node, node + tok.pos_len)
            })
            .collect();
        for (from, to) in &spans {
            // A node that no token leads to lies behind the last one that some token left, with its hole.
            let reached = places.get(from).copied();
            let place = reached.unwrap_or_else(|| match last_node {
                Some(last) => places[&last] + from - last,
                None => *from,
            });
            places.insert(*from, place);
            last_node = Some(*from);
            let behind = places.entry(*to).or_insert(place + 1);
            *behind = (*behind).max(place + 1);
        }
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|i| places[&spans[*i].0]);
        let old = std::mem::take(&mut tokens.toks);
        let mut last = 0;
        for i in order {
            let (from, to) = (places[&spans[i].0], places[&spans[i].1]);
            tokens.toks.push(Tok { inc: from - last, pos_len: to - from, ..old[i] });
            last = from;
        }
    }
}
