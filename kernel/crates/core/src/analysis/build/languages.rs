//! Stop words and the analyzers that every index has.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::Chain;
use super::filters::word_set;
use crate::analysis::charfilters::mapping::Mapping;
use crate::analysis::filters::Filter;
use crate::analysis::filters::case::{Language, Lowercase};
use crate::analysis::filters::change::{Apostrophe, Elision};
use crate::analysis::filters::cjk::CjkBigram;
use crate::analysis::filters::fold::{AsciiFolding, MapChars, cjk_width, decimal_digit};
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

/// Lists of the Snowball project and of others, one language a line.
const LISTS: [&str; 2] = [include_str!("../stopwords/snowball.txt"), include_str!("../stopwords/others.txt")];

/// The stop words of a language by its lower-case name.
pub fn stop_words(language: &str) -> Option<&'static [&'static str]> {
    static WORDS: LazyLock<FxHashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
        let lines =
            LISTS.into_iter().flat_map(str::lines).filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(": "));
        let mut lists: FxHashMap<_, Vec<_>> = lines.map(|(name, words)| (name, words.split(' ').collect())).collect();
        lists.insert("english", ENGLISH.split_whitespace().collect());
        lists
    });
    WORDS.get(language).map(Vec::as_slice)
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
                .with("cjk_width", Rewrite(cjk_width))
                .with("lowercase", lower())
                .with("cjk_bigram", bigram);
            stopped(chain, "_cjk_")
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

/// Analyzers of languages in their own order of filters: what comes before the stop words, those, and what follows. `*` marks the place
/// where words that must not be stemmed are marked.
const CHAINS: [(&str, &str); 33] = [
    ("arabic", "lowercase decimal_digit stop arabic_normalization * arabic"),
    ("armenian", "lowercase stop * armenian"),
    ("basque", "lowercase stop * basque"),
    ("bengali", "lowercase decimal_digit * indic_normalization bengali_normalization stop bengali"),
    ("brazilian", "lowercase stop * brazilian"),
    ("bulgarian", "lowercase stop * bulgarian"),
    ("catalan", "elision lowercase stop * catalan"),
    ("czech", "lowercase stop * czech"),
    ("danish", "lowercase stop * danish"),
    ("dutch", "lowercase stop * stemmer_override dutch"),
    ("english", "possessive_english lowercase stop * porter"),
    ("estonian", "lowercase stop * estonian"),
    ("finnish", "lowercase stop * finnish"),
    ("french", "elision lowercase stop * light_french"),
    ("galician", "lowercase stop * galician"),
    ("german", "lowercase stop * german_normalization light_german"),
    ("greek", "greek_lowercase stop greek"),
    ("hindi", "lowercase decimal_digit * indic_normalization hindi_normalization stop hindi"),
    ("hungarian", "lowercase stop * hungarian"),
    ("indonesian", "lowercase stop * indonesian"),
    ("irish", "hyphenations elision irish_lowercase stop * irish"),
    ("italian", "elision lowercase stop * light_italian"),
    ("latvian", "lowercase stop * latvian"),
    ("lithuanian", "lowercase stop * lithuanian"),
    ("norwegian", "lowercase stop * norwegian"),
    ("persian", "lowercase decimal_digit arabic_normalization persian_normalization stop * persian"),
    ("portuguese", "lowercase stop * light_portuguese"),
    ("romanian", "lowercase stop romanian_normalization * romanian"),
    ("russian", "lowercase stop * russian"),
    ("sorani", "sorani_normalization lowercase decimal_digit stop * sorani"),
    ("spanish", "lowercase stop * light_spanish"),
    ("swedish", "lowercase stop * swedish"),
    ("turkish", "apostrophe turkish_lowercase stop * turkish"),
];

fn language(kind: &str, p: &Params<'_>) -> Option<Result<Chain>> {
    if kind == "thai" {
        return Some(Err(Error::illegal_argument("The [thai] analyzer is not supported")));
    }
    if kind == "chinese" {
        let words = word_set(None, "_english_", false);
        return Some(Ok(standard(255)
            .with("lowercase", Lowercase(Language::Any))
            .with("stop", Stop { words, remove_trailing: true })));
    }
    let (_, filters) = CHAINS.iter().find(|(name, _)| *name == kind)?;
    let mut chain = standard(255);
    if kind == "persian" {
        // The zero-width non-joiner parts words.
        let mapping = Mapping::parse(&["\\u200C=>\\u0020".to_owned()]).ok()?;
        chain.char_filters.push(("persian".to_owned(), Arc::new(mapping)));
    }
    for name in filters.split(' ') {
        chain = match name {
            "*" => match p.list("stem_exclusion").filter(|words| !words.is_empty()) {
                Some(words) => {
                    chain.with("keyword_marker", KeywordMarker { words: Words::new(words, false), pattern: None })
                }
                None => chain,
            },
            "stop" => {
                let words = word_set(p.list("stopwords"), &format!("_{kind}_"), false);
                chain.with("stop", Stop { words, remove_trailing: true })
            }
            name => push(chain, name, part(kind, name)?),
        };
    }
    Some(Ok(chain))
}

/// A filter of a language's chain.
fn part(kind: &str, name: &str) -> Option<Box<dyn Filter>> {
    Some(match name {
        "lowercase" => Box::new(Lowercase(Language::Any)),
        "greek_lowercase" => Box::new(Lowercase(Language::Greek)),
        "turkish_lowercase" => Box::new(Lowercase(Language::Turkish)),
        "irish_lowercase" => Box::new(Lowercase(Language::Irish)),
        "decimal_digit" => Box::new(MapChars(decimal_digit)),
        "apostrophe" => Box::new(Apostrophe),
        "elision" => Box::new(Elision(Words::new(articles(kind), true))),
        "hyphenations" => Box::new(Stop { words: Words::new(["h", "n", "t"], true), remove_trailing: true }),
        "stemmer_override" => Box::new(dutch_exceptions()?),
        name if name.ends_with("_normalization") => Box::new(Rewrite(normal::by_name(name)?)),
        stemmer => return stem::by_name(stemmer),
    })
}

fn articles(language: &str) -> &'static [&'static str] {
    match language {
        "french" => &FRENCH_ARTICLES,
        "italian" => &ITALIAN_ARTICLES,
        "irish" => &["d", "m", "b"],
        _ => &CATALAN_ARTICLES,
    }
}

fn dutch_exceptions() -> Option<Override> {
    Override::parse(&["fiets => fiets", "bromfiets => bromfiets", "ei => eier", "kind => kinder"].map(str::to_owned))
        .ok()
}
