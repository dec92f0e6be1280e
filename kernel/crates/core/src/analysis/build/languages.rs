//! Stop words and the analyzers that every index has.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::Chain;
use super::filters::word_set;
use crate::analysis::filters::Filter;
use crate::analysis::filters::case::{Language, Lowercase};
use crate::analysis::filters::change::{Apostrophe, Elision, Possessive};
use crate::analysis::filters::cjk::CjkBigram;
use crate::analysis::filters::fold::{AsciiFolding, MapChars, cjk_width};
use crate::analysis::filters::normal::{self, Rewrite};
use crate::analysis::filters::select::{Stop, Words};
use crate::analysis::filters::shingle::Fingerprint;
use crate::analysis::filters::stem::{self, KeywordMarker, Override};
use crate::analysis::regex;
use crate::analysis::settings::Params;
use crate::analysis::tokenizers::chars::{Keyword, letter, whitespace};
use crate::analysis::tokenizers::pattern::Pattern;
use crate::analysis::tokenizers::standard::Standard;
use crate::{Error, Result};

/// Lucene's English list.
const ENGLISH: &str = "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to \
                       was will with";

/// Lists of the Snowball project, one language a line.
const SNOWBALL: &str = include_str!("../stopwords/snowball.txt");

/// The stop words of a language by its lower-case name.
pub fn stop_words(language: &str) -> Option<&'static [&'static str]> {
    static LISTS: LazyLock<FxHashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
        let lines = SNOWBALL.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(": "));
        let mut lists: FxHashMap<_, Vec<_>> = lines.map(|(name, words)| (name, words.split(' ').collect())).collect();
        lists.insert("english", ENGLISH.split_whitespace().collect());
        lists
    });
    LISTS.get(language).map(Vec::as_slice)
}

/// French articles, the default of `elision` in the analyzers.
pub const FRENCH_ARTICLES: [&str; 13] =
    ["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"];
const ITALIAN_ARTICLES: [&str; 21] = [
    "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl", "un",
    "m", "t", "s", "v", "d",
];
const CATALAN_ARTICLES: [&str; 6] = ["d", "l", "m", "n", "s", "t"];

fn standard(max: usize) -> Chain {
    Chain::new("standard", Arc::new(Standard { max_token_length: max }))
}

/// An analyzer by its type; None: no such type (custom ones are built elsewhere).
pub fn analyzer(kind: &str, p: &Params<'_>) -> Option<Result<Chain>> {
    let max = p.number("max_token_length").unwrap_or(255).clamp(1, 1 << 20) as usize;
    let stopped = |chain: Chain, default: &str| {
        let words = word_set(p.list("stopwords"), default, false);
        if words.is_empty() { chain } else { chain.with("stop", Stop { words, remove_trailing: true }) }
    };
    let lower = || Lowercase(Language::Any);
    Some(Ok(match kind {
        "standard" | "default" => stopped(standard(max).with("lowercase", lower()), "_none_"),
        "simple" => Chain::new("lowercase", Arc::new(letter(true))),
        "stop" => stopped(Chain::new("lowercase", Arc::new(letter(true))), "_english_"),
        "whitespace" => Chain::new("whitespace", Arc::new(whitespace(255))),
        "keyword" => Chain::new("keyword", Arc::new(Keyword)),
        "pattern" => match pattern(p) {
            Ok(chain) => stopped(chain, "_none_"),
            Err(e) => return Some(Err(e)),
        },
        "fingerprint" => {
            let fingerprint = Fingerprint {
                max_output_size: p.number("max_output_size").unwrap_or(255).max(0) as usize,
                separator: p.text("separator").unwrap_or(" ").to_owned(),
            };
            let folded = standard(255)
                .with("lowercase", lower())
                .with("asciifolding", AsciiFolding { preserve_original: false });
            stopped(folded, "_none_").with("fingerprint", fingerprint)
        }
        "snowball" => {
            let name = p.text("language").unwrap_or("English");
            let Some(stemmer) = stem::snowball(name) else {
                return Some(Err(Error::illegal_argument(format!("Invalid stemmer class specified: {name}"))));
            };
            let default = format!("_{}_", name.to_lowercase());
            let chain = stopped(
                standard(255).with("lowercase", lower()),
                if stop_words(&name.to_lowercase()).is_some() { &default } else { "_none_" },
            );
            push(chain, "snowball", stemmer)
        }
        "cjk" => {
            let bigram = CjkBigram { han: true, hiragana: true, katakana: true, hangul: true, output_unigrams: false };
            let chain = standard(255)
                .with("cjk_width", MapChars(cjk_width))
                .with("lowercase", lower())
                .with("cjk_bigram", bigram);
            stopped(chain, "_english_")
        }
        _ => return language(kind, p),
    }))
}

fn push(mut chain: Chain, name: &str, filter: Box<dyn Filter>) -> Chain {
    chain.filters.push((name.to_owned(), Arc::from(filter)));
    chain
}

fn pattern(p: &Params<'_>) -> Result<Chain> {
    let regex = regex::compile(p.text("pattern").unwrap_or(r"\W+"), p.text("flags"))?;
    let chain = Chain::new("pattern", Arc::new(Pattern { regex, group: None }));
    Ok(if p.flag("lowercase", true) { chain.with("lowercase", Lowercase(Language::Any)) } else { chain })
}

/// Stop, keyword marker: the middle of every language's chain.
fn middle(mut chain: Chain, kind: &str, p: &Params<'_>) -> Chain {
    let words = word_set(p.list("stopwords"), &format!("_{kind}_"), false);
    chain = chain.with("stop", Stop { words, remove_trailing: true });
    match p.list("stem_exclusion").filter(|w| !w.is_empty()) {
        Some(words) => chain.with("keyword_marker", KeywordMarker { words: Words::new(words, false), pattern: None }),
        None => chain,
    }
}

fn language(kind: &str, p: &Params<'_>) -> Option<Result<Chain>> {
    let lower = || Lowercase(Language::Any);
    let articles = |words: &[&str]| Elision(Words::new(words, true));
    let stemmed = |chain: Chain, stemmer: &str| Some(Ok(push(chain, "stemmer", stem::by_name(stemmer)?)));
    let plain = || middle(standard(255).with("lowercase", lower()), kind, p);
    match kind {
        "english" => {
            let chain = standard(255).with("possessive_english", Possessive).with("lowercase", lower());
            stemmed(middle(chain, kind, p), "porter")
        }
        "german" => stemmed(plain().with("german_normalization", Rewrite(normal::german)), "light_german"),
        "french" => {
            let chain = standard(255).with("elision", articles(&FRENCH_ARTICLES)).with("lowercase", lower());
            stemmed(middle(chain, kind, p), "light_french")
        }
        "italian" => {
            let chain = standard(255).with("elision", articles(&ITALIAN_ARTICLES)).with("lowercase", lower());
            stemmed(middle(chain, kind, p), "light_italian")
        }
        "catalan" => {
            let chain = standard(255).with("elision", articles(&CATALAN_ARTICLES)).with("lowercase", lower());
            stemmed(middle(chain, kind, p), "catalan")
        }
        "spanish" => stemmed(plain(), "light_spanish"),
        "portuguese" => stemmed(plain(), "light_portuguese"),
        "dutch" => {
            let overrides =
                ["fiets => fiets", "bromfiets => bromfiets", "ei => eier", "kind => kinder"].map(str::to_owned);
            let chain = match Override::parse(&overrides) {
                Ok(overrides) => plain().with("stemmer_override", overrides),
                Err(_) => plain(),
            };
            stemmed(chain, "dutch")
        }
        "turkish" => {
            let chain =
                standard(255).with("apostrophe", Apostrophe).with("turkish_lowercase", Lowercase(Language::Turkish));
            stemmed(middle(chain, kind, p), "turkish")
        }
        "danish" | "finnish" | "hungarian" | "norwegian" | "swedish" | "russian" | "romanian" | "armenian"
        | "basque" | "lithuanian" | "estonian" => stemmed(plain(), kind),
        _ => None,
    }
}
