//! `synonym` (flat, as Lucene's SynonymFilter) and `synonym_graph` (with side paths).

use rustc_hash::FxHashMap;

use super::Filter;
use crate::analysis::tokens::{Kind, Tok, Tokens};

/// What an input phrase turns into.
#[derive(Debug, Default, Clone)]
struct Rule {
    outputs: Vec<Vec<Box<str>>>,
    keep_original: bool,
}

/// A trie over words.
#[derive(Debug, Default)]
pub struct Synonyms {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    next: FxHashMap<Box<str>, usize>,
    rule: Option<Rule>,
}

impl Synonyms {
    /// Rules in Solr's format, one a line. `analyze` cuts a phrase into words, or says why it cannot; `lenient` then skips it.
    pub fn parse(
        lines: &[String],
        expand: bool,
        lenient: bool,
        analyze: &dyn Fn(&str) -> Result<Vec<String>, String>,
    ) -> Result<Self, String> {
        let mut synonyms = Self { nodes: vec![Node::default()] };
        for line in lines.iter().flat_map(|l| l.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match synonyms.line(line, expand, lenient, analyze) {
                Ok(()) => {}
                Err(_) if lenient => {}
                Err(why) => return Err(why),
            }
        }
        Ok(synonyms)
    }

    fn line(
        &mut self,
        line: &str,
        expand: bool,
        lenient: bool,
        analyze: &dyn Fn(&str) -> Result<Vec<String>, String>,
    ) -> Result<(), String> {
        let phrases = |side: &str| -> Result<Vec<Vec<String>>, String> {
            let mut all = vec![];
            for phrase in split(side, ",") {
                match analyze(unescape(&phrase).trim()) {
                    Ok(words) => all.push(words),
                    Err(_) if lenient => {}
                    Err(why) => return Err(why),
                }
            }
            Ok(all)
        };
        let sides = split(line, "=>");
        match sides.as_slice() {
            [one] => {
                let inputs = phrases(one)?;
                for (i, input) in inputs.iter().enumerate() {
                    for (j, output) in inputs.iter().enumerate() {
                        if expand && i != j {
                            self.add(input, output, true);
                        } else if !expand && j == 0 {
                            self.add(input, output, false);
                        }
                    }
                }
            }
            [left, right] => {
                let (inputs, outputs) = (phrases(left)?, phrases(right)?);
                for input in &inputs {
                    for output in &outputs {
                        self.add(input, output, false);
                    }
                }
            }
            _ => return Err("more than one explicit mapping specified on the same line".to_owned()),
        }
        Ok(())
    }

    fn add(&mut self, input: &[String], output: &[String], keep_original: bool) {
        let mut at = 0;
        for word in input {
            let known = self.nodes[at].next.get(word.as_str()).copied();
            at = known.unwrap_or_else(|| {
                self.nodes.push(Node::default());
                let new = self.nodes.len() - 1;
                self.nodes[at].next.insert(word.as_str().into(), new);
                new
            });
        }
        let rule = self.nodes[at].rule.get_or_insert_default();
        rule.keep_original |= keep_original;
        let output: Vec<Box<str>> = output.iter().map(|w| w.as_str().into()).collect();
        if !rule.outputs.contains(&output) {
            rule.outputs.push(output);
        }
    }

    /// The longest rule that matches at `from`, and how many tokens it takes.
    fn longest(&self, tokens: &Tokens, from: usize) -> Option<(&Rule, usize)> {
        let mut at = 0;
        let mut best = None;
        for (taken, tok) in tokens.toks[from..].iter().enumerate() {
            let Some(next) = self.nodes[at].next.get(tokens.text(tok)) else {
                break;
            };
            at = *next;
            if let Some(rule) = &self.nodes[at].rule {
                best = Some((rule, taken + 1));
            }
        }
        best
    }
}

/// Cuts at a separator that no backslash stands before; escapes stay.
fn split(text: &str, separator: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix(separator) {
            parts.push(String::new());
            rest = behind;
            continue;
        }
        let taken =
            if c == '\\' { c.len_utf8() + rest[1..].chars().next().map_or(0, char::len_utf8) } else { c.len_utf8() };
        if let Some(last) = parts.last_mut() {
            last.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    // Empty pieces, as between two commas, are no phrases.
    parts.retain(|p| !p.is_empty());
    parts
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

/// Words of a rule lie over the words of the text, one position each.
pub struct Flat(pub Synonyms);

/// A synonym's word waiting at a position: term, end offset if it alone stands for the match, position length.
type Pending<'r> = (&'r str, Option<u32>, u32);

/// Words that synonyms may add to a text, beside 64 for each of its own.
const MAX_ADDED: usize = 4 << 20;

impl Filter for Flat {
    fn apply(&self, tokens: &mut Tokens) {
        if tokens.toks.is_empty() {
            return;
        }
        let count = tokens.toks.len();
        let mut pending: Vec<Vec<Pending<'_>>> = vec![vec![]; count];
        let mut dropped = vec![false; count];
        let (mut at, mut added) = (0, 0);
        while at < count {
            let Some((rule, taken)) = self.0.longest(tokens, at) else {
                at += 1;
                continue;
            };
            dropped[at..at + taken].fill(!rule.keep_original);
            added += rule.outputs.iter().map(Vec::len).sum::<usize>();
            if added > MAX_ADDED + 64 * count {
                tokens.overflowed = true;
                break;
            }
            let end = tokens.toks[at + taken - 1].end;
            for output in &rule.outputs {
                pending.resize(pending.len().max(at + output.len()), vec![]);
                let single = output.len() == 1;
                for (n, word) in output.iter().enumerate() {
                    let length = if single && rule.keep_original { taken as u32 } else { 1 };
                    pending[at + n].push((word, single.then_some(end), length));
                }
            }
            at += taken;
        }
        lay_over(tokens, &pending, &dropped);
    }
}

fn lay_over(tokens: &mut Tokens, pending: &[Vec<Pending<'_>>], dropped: &[bool]) {
    let old = std::mem::take(&mut tokens.toks);
    let mut last = old[0];
    for (at, words) in pending.iter().enumerate() {
        let mut inc = 1;
        if let Some(tok) = old.get(at) {
            last = *tok;
            inc = tok.inc.max(1);
            if !dropped[at] {
                tokens.toks.push(*tok);
                inc = 0;
            }
        }
        for (word, end, length) in words {
            let (place, len) = tokens.store(word);
            let end = end.unwrap_or(last.end);
            tokens.toks.push(Tok { at: place, len, inc, pos_len: *length, end, kind: Kind::Synonym, ..last });
            inc = 0;
        }
    }
}

/// Synonyms of several words get positions of their own beside the text.
pub struct Graph(pub Synonyms);

impl Filter for Graph {
    fn apply(&self, tokens: &mut Tokens) {
        let old = tokens.clone();
        tokens.toks.clear();
        // Node that the last token starts from, and the one that the next may start from. The last token of a match always starts one
        // node before its end, so what follows keeps its increment. Holes before a match are lost, as in Lucene.
        let (mut last, mut next) = (-1i64, 0i64);
        let mut at = 0;
        while at < old.toks.len() && tokens.has_room(old.toks.len()) {
            let tok = old.toks[at];
            match self.0.longest(&old, at) {
                None => {
                    last += i64::from(tok.inc);
                    next = last + i64::from(tok.pos_len);
                    tokens.toks.push(tok);
                    at += 1;
                }
                Some((rule, taken)) => {
                    next = side_paths(tokens, &old.toks[at..at + taken], rule, next, &mut last);
                    at += taken;
                }
            }
        }
    }
}

/// Puts out the paths of one match from node `start`; answers the node where they meet.
fn side_paths(tokens: &mut Tokens, matched: &[Tok], rule: &Rule, start: i64, last: &mut i64) -> i64 {
    let inner: usize = rule.outputs.iter().map(|path| path.len().saturating_sub(1)).sum();
    let original = if rule.keep_original { matched.len() - 1 } else { 0 };
    let end = start + (inner + original) as i64 + 1;
    let mut node = start;
    // (from, to, token) of what stands behind the first word of each path.
    let mut rest: Vec<(i64, i64, Tok)> = vec![];
    let mut put = |tokens: &mut Tokens, from: i64, to: i64, tok: Tok| {
        tokens.toks.push(Tok { inc: (from - *last) as u32, pos_len: (to - from) as u32, ..tok });
        *last = from;
    };
    let span = Tok { end: matched[matched.len() - 1].end, kind: Kind::Synonym, ..matched[0] };
    for path in &rule.outputs {
        let words: Vec<Tok> = path
            .iter()
            .map(|word| {
                let (at, len) = tokens.store(word);
                Tok { at, len, ..span }
            })
            .collect();
        let first = walk(&words, start, end, &mut node, &mut rest);
        if let Some(tok) = words.first() {
            put(tokens, start, first, *tok);
        }
    }
    if rule.keep_original {
        let first = walk(matched, start, end, &mut node, &mut rest);
        put(tokens, start, first, matched[0]);
    }
    for (from, to, tok) in rest {
        put(tokens, from, to, tok);
    }
    end
}

/// Gives a path its nodes; answers the node behind its first word.
fn walk(words: &[Tok], start: i64, end: i64, node: &mut i64, rest: &mut Vec<(i64, i64, Tok)>) -> i64 {
    let mut from = start;
    let mut first = end;
    for (n, tok) in words.iter().enumerate() {
        let to = if n + 1 == words.len() {
            end
        } else {
            *node += 1;
            *node
        };
        if n == 0 {
            first = to;
        } else {
            rest.push((from, to, *tok));
        }
        from = to;
    }
    first
}
