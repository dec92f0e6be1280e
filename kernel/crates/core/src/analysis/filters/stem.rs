//! Stemmers and what keeps words from them: `stemmer`, `snowball`, `porter_stem`, `keyword_marker`, `stemmer_override`.

use fancy_regex::Regex;
use frostem::{Algorithm, Stemmer};
use rustc_hash::FxHashMap;

use super::Filter;
use super::change::Possessive;
use super::light;
use super::porter::Porter;
use super::select::Words;
use crate::analysis::tokens::Tokens;

/// How a word loses its endings.
#[derive(Clone, Copy)]
pub enum Stem {
    Snowball(Stemmer),
    /// Changes the word in place, as letters.
    Letters(fn(&mut Vec<char>)),
    Porter,
}

impl Filter for Stem {
    fn apply(&self, tokens: &mut Tokens) {
        let mut letters = vec![];
        let mut porter = Porter::default();
        for i in 0..tokens.toks.len() {
            if tokens.toks[i].keyword {
                continue;
            }
            let term = tokens.term(i);
            match self {
                Stem::Snowball(stemmer) => {
                    let stem = stemmer.stem(term).into_owned();
                    replace(tokens, i, &stem);
                }
                Stem::Porter => {
                    if let Some((kept, ending)) = porter.stem(term) {
                        let kept =
                            if term.is_ascii() { kept } else { term.chars().take(kept).map(char::len_utf8).sum() };
                        graft(tokens, i, kept, ending);
                    }
                }
                Stem::Letters(change) => {
                    letters.clear();
                    letters.extend(term.chars());
                    change(&mut letters);
                    let stem: String = letters.iter().collect();
                    replace(tokens, i, &stem);
                }
            }
        }
    }
}

/// Cuts a term to `kept` bytes and puts `ending` behind them.
fn graft(tokens: &mut Tokens, i: usize, kept: usize, ending: &str) {
    let tok = &mut tokens.toks[i];
    if ending.is_empty() {
        tok.len = kept as u32;
        return;
    }
    let from = tok.at as usize;
    tok.at = tokens.arena.len() as u32;
    tok.len = (kept + ending.len()) as u32;
    tokens.arena.extend_from_within(from..from + kept);
    tokens.arena.push_str(ending);
}

fn replace(tokens: &mut Tokens, i: usize, stem: &str) {
    if tokens.term(i).starts_with(stem) {
        tokens.toks[i].len = stem.len() as u32;
    } else {
        tokens.set_term(i, stem);
    }
}

/// The filter of `stemmer` with that `language` (or `name`).
pub fn by_name(name: &str) -> Option<Box<dyn Filter>> {
    let letters = |change: fn(&mut Vec<char>)| -> Option<Box<dyn Filter>> { Some(Box::new(Stem::Letters(change))) };
    match name.to_lowercase().as_str() {
        "porter" | "english" | "" => Some(Box::new(Stem::Porter)),
        "possessive_english" | "possessiveenglish" => Some(Box::new(Possessive)),
        "minimal_english" | "minimalenglish" => letters(light::minimal_english),
        "light_german" | "lightgerman" => letters(light::german),
        "minimal_german" | "minimalgerman" => letters(light::minimal_german),
        "light_french" | "lightfrench" => letters(light::french),
        "minimal_french" | "minimalfrench" => letters(light::minimal_french),
        "light_spanish" | "lightspanish" => letters(light::spanish),
        "light_italian" | "lightitalian" => letters(light::italian),
        "light_portuguese" | "lightportuguese" => letters(light::portuguese),
        "light_swedish" | "lightswedish" => letters(light::swedish),
        "light_english" | "lightenglish" | "porter2" => snowball("english"),
        "german2" => snowball("german"),
        other => snowball(other),
    }
}

/// The filter of `snowball` with that language, in Lucene's spelling or in lower case.
pub fn snowball(name: &str) -> Option<Box<dyn Filter>> {
    let id = match name.to_lowercase().as_str() {
        // Lucene's Dutch is the older algorithm.
        "dutch" => "dutch_porter".to_owned(),
        "german2" => "german".to_owned(),
        // Lucene has them no more.
        "kp" | "lovins" => return None,
        other => other.to_owned(),
    };
    let algorithm = Algorithm::from_name(&id).ok()?;
    Some(Box::new(Stem::Snowball(Stemmer::new(algorithm))))
}

/// Marks words that stemmers leave alone.
pub struct KeywordMarker {
    pub words: Words,
    pub pattern: Option<Regex>,
}

impl Filter for KeywordMarker {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            let whole =
                |re: &Regex| re.find(term).ok().flatten().is_some_and(|m| m.start() == 0 && m.end() == term.len());
            if self.words.contains(term) || self.pattern.as_ref().is_some_and(whole) {
                tokens.toks[i].keyword = true;
            }
        }
    }
}

/// Words with a stem given by hand; stemmers leave them alone.
pub struct Override(pub FxHashMap<String, String>);

impl Override {
    /// From rules `word, word => stem`.
    pub fn parse(rules: &[String]) -> Result<Self, String> {
        let mut stems = FxHashMap::default();
        for rule in rules.iter().flat_map(|r| r.lines()).map(str::trim).filter(|r| !r.is_empty() && !r.starts_with('#'))
        {
            let invalid = || format!("Invalid Keyword override Rule:{rule}");
            let (words, stem) = rule.split_once("=>").ok_or_else(invalid)?;
            let stem = stem.trim();
            if stem.is_empty() || stem.contains("=>") || stem.contains(',') {
                return Err(invalid());
            }
            for word in words.split(',').map(str::trim) {
                if word.is_empty() {
                    return Err(invalid());
                }
                stems.insert(word.to_owned(), stem.to_owned());
            }
        }
        Ok(Self(stems))
    }
}

impl Filter for Override {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            if tokens.toks[i].keyword {
                continue;
            }
            if let Some(stem) = self.0.get(tokens.term(i)) {
                tokens.set_term(i, stem);
                tokens.toks[i].keyword = true;
            }
        }
    }
}
