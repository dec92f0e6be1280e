//! Stemmers and what keeps words from them: `stemmer`, `snowball`, `porter_stem`, `keyword_marker`, `stemmer_override`.

use fancy_regex::Regex;
use frostem::{Algorithm, Stemmer};
use rustc_hash::FxHashMap;

use super::Filter;
use super::brazilian::brazilian;
use super::change::Possessive;
use super::endings;
use super::greek::greek;
use super::indonesian;
use super::light;
use super::porter::Porter;
use super::rslp;
use super::select::Words;
use crate::analysis::tokens::Tokens;

/// How a word loses its endings.
#[derive(Clone, Copy)]
pub enum Stem {
    Snowball(Stemmer),
    /// By the rules of an older Snowball, where Lucene has those.
    Older(rust_stemmers::Algorithm),
    /// Changes the word in place, as letters.
    Letters(Change),
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
                Stem::Older(algorithm) => {
                    let stem = rust_stemmers::Stemmer::create(*algorithm).stem(term).into_owned();
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

    fn sees_keywords(&self) -> bool {
        true
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

/// Changes the letters of a word.
type Change = fn(&mut Vec<char>);

/// Stemmers that change letters, by the `language` of `stemmer`.
const BY_LETTERS: [(&str, Change); 25] = [
    ("arabic", endings::arabic),
    ("bengali", endings::bengali),
    ("brazilian", brazilian),
    ("bulgarian", endings::bulgarian),
    ("czech", endings::czech),
    ("galician", rslp::galician),
    ("greek", greek),
    ("hindi", endings::hindi),
    ("indonesian", indonesian::indonesian),
    ("latvian", endings::latvian),
    ("light_french", light::french),
    ("light_german", light::german),
    ("light_italian", light::italian),
    ("light_portuguese", light::portuguese),
    ("light_spanish", light::spanish),
    ("light_swedish", light::swedish),
    ("minimal_english", light::minimal_english),
    ("minimal_french", light::minimal_french),
    ("minimal_galician", rslp::minimal_galician),
    ("minimal_german", light::minimal_german),
    ("minimal_portuguese", rslp::minimal_portuguese),
    ("persian", endings::persian),
    ("plural_english", light::plural_english),
    ("portuguese_rslp", rslp::portuguese),
    ("sorani", endings::sorani),
];

/// Stemmers that OpenSearch has and this kernel lacks.
pub const LACKING: [&str; 9] = [
    "kstem",
    "light_english",
    "light_finnish",
    "light_hungarian",
    "light_norwegian",
    "light_nynorsk",
    "light_russian",
    "minimal_norwegian",
    "minimal_nynorsk",
];

/// `lightFrench` is another spelling of `light_french`.
pub fn spelled(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let begins = c.is_ascii_uppercase()
            && (out.ends_with("light") || out.ends_with("minimal") || out.ends_with("possessive"));
        if begins || (c == 'K' && out == "dutch") {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    if out == "light_finish" { "light_finnish".to_owned() } else { out }
}

/// The filter of `stemmer` with that `language` (or `name`).
pub fn by_name(name: &str) -> Option<Box<dyn Filter>> {
    let name = spelled(name);
    if let Some((_, change)) = BY_LETTERS.iter().find(|(known, _)| *known == name) {
        return Some(Box::new(Stem::Letters(*change)));
    }
    match name.as_str() {
        "porter" | "english" | "" => Some(Box::new(Stem::Porter)),
        "possessive_english" => Some(Box::new(Possessive)),
        "porter2" => snowball("english"),
        name if LACKING.contains(&name) => None,
        other => snowball(other),
    }
}

/// The algorithms that Lucene's `snowball` filter knows, by the language in lower case.
const SNOWBALL: &str = "arabic armenian basque catalan danish dutch english estonian finnish french german german2 greek hindi hungarian \
                        indonesian irish italian lithuanian nepali norwegian porter portuguese romanian russian serbian spanish swedish \
                        tamil turkish yiddish";

/// The filter of `snowball` with that language, in Lucene's spelling or in lower case.
pub fn snowball(name: &str) -> Option<Box<dyn Filter>> {
    let name = name.to_lowercase();
    if !SNOWBALL.split(' ').any(|known| known == name) {
        return None;
    }
    let older = match name.as_str() {
        "danish" => Some(rust_stemmers::Algorithm::Danish),
        "swedish" => Some(rust_stemmers::Algorithm::Swedish),
        _ => None,
    };
    if let Some(algorithm) = older {
        return Some(Box::new(Stem::Older(algorithm)));
    }
    let id = match name.as_str() {
        // Lucene's Dutch is the older algorithm.
        "dutch" => "dutch_porter",
        "german2" => "german",
        other => other,
    };
    let algorithm = Algorithm::from_name(id).ok()?;
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

    fn sees_keywords(&self) -> bool {
        true
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

    fn sees_keywords(&self) -> bool {
        true
    }
}
