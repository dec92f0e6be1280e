//! Token filters by type.

use std::sync::Arc;

use super::languages::stop_words;
use super::{Chain, Limits, check_grams};
use crate::analysis::filters::Filter;
use crate::analysis::filters::case::{Language, Lowercase, Uppercase};
use crate::analysis::filters::change::{
    Apostrophe, Classic, Elision, PatternReplace, Payload, Reverse, Trim, Truncate,
};
use crate::analysis::filters::cjk::CjkBigram;
use crate::analysis::filters::compound::{CommonGrams, Decompounder, FlattenGraph, Multiplexer};
use crate::analysis::filters::fold::{AsciiFolding, MapChars, cjk_width, decimal_digit};
use crate::analysis::filters::grams::{Grams, PatternCapture};
use crate::analysis::filters::normal::{self, KeywordRepeat, Rewrite};
use crate::analysis::filters::select::{Keep, KeepTypes, Length, Limit, Stop, Unique, Words};
use crate::analysis::filters::shingle::{Fingerprint, Shingle};
use crate::analysis::filters::stem::{self, KeywordMarker, Override, Stem};
use crate::analysis::filters::synonym::{Flat, Graph, Synonyms};
use crate::analysis::filters::word_delimiter::{WordDelimiter, class_named};
use crate::analysis::regex;
use crate::analysis::settings::Params;
use crate::analysis::tokens::{Kind, Tokens};
use crate::{Error, Result};

pub type Built = Result<Arc<dyn Filter>>;

/// What a filter may need besides its own parameters.
pub struct Context<'a> {
    pub name: &'a str,
    pub limits: Limits,
    pub chain: &'a Chain,
    /// Other filters of the index by name.
    pub lookup: &'a dyn Fn(&str) -> Option<Built>,
}

fn ok(filter: impl Filter + 'static) -> Option<Built> {
    Some(Ok(Arc::new(filter)))
}

/// None: no such type.
pub fn build(kind: &str, p: &Params<'_>, cx: &Context<'_>) -> Option<Built> {
    match kind {
        "lowercase" => Some(lowercase(p)),
        "uppercase" => ok(Uppercase),
        "asciifolding" => ok(AsciiFolding { preserve_original: p.flag("preserve_original", false) }),
        "decimal_digit" => ok(MapChars(decimal_digit)),
        "cjk_width" => ok(Rewrite(cjk_width)),
        "classic" => ok(Classic),
        "delimited_payload" => Some(delimited_payload(p)),
        "flatten_graph" => ok(FlattenGraph),
        // Payloads are for scorers of one's own, which there are none of.
        "type_as_payload" => ok(Limit(usize::MAX)),
        "romanian_normalization" => None,
        "trim" => ok(Trim),
        "truncate" => Some(truncate(p)),
        "reverse" => ok(Reverse),
        "apostrophe" => ok(Apostrophe),
        "elision" => Some(elision(p)),
        "keyword_repeat" => ok(KeywordRepeat),
        "remove_duplicates" => ok(Unique { only_on_same_position: true }),
        "unique" => ok(Unique { only_on_same_position: p.flag("only_on_same_position", false) }),
        "length" => Some(length(p)),
        "limit" => ok(Limit(p.number("max_token_count").unwrap_or(1).max(0) as usize)),
        "fingerprint" => ok(Fingerprint {
            max_output_size: p.number("max_output_size").unwrap_or(255).max(0) as usize,
            separator: p.text("separator").unwrap_or(" ").to_owned(),
        }),
        kind => match normal::by_name(kind) {
            Some(rewrite) => ok(Rewrite(rewrite)),
            None => words(kind, p)
                .or_else(|| stemming(kind, p))
                .or_else(|| several(kind, p, cx))
                .or_else(|| unsupported(kind).map(Err)),
        },
    }
}

/// What OpenSearch has and this kernel lacks.
fn unsupported(kind: &str) -> Option<Error> {
    let why = match kind {
        "condition" | "predicate_token_filter" => "scripts",
        "hunspell" | "hyphenation_decompounder" => "files",
        "german_stem" | "kstem" | "min_hash" | "concatenate_graph" | "delimited_term_freq" => "",
        _ => return None,
    };
    let needs = if why.is_empty() { String::new() } else { format!(": it needs {why}") };
    Some(Error::illegal_argument(format!("Token filter [{kind}] is not supported{needs}")))
}

fn delimited_payload(p: &Params<'_>) -> Built {
    let mut chars = p.text("delimiter").unwrap_or("|").chars();
    match (chars.next(), chars.next()) {
        (Some(delimiter), None) => Ok(Arc::new(Payload(delimiter))),
        _ => Err(Error::illegal_argument("delimiter must be a one char value")),
    }
}

/// Filters that go by lists of words or types.
fn words(kind: &str, p: &Params<'_>) -> Option<Built> {
    Some(match kind {
        "stop" => stop(p),
        "keep" => keep(p),
        "keep_types" => keep_types(p),
        "keyword_marker" => keyword_marker(p),
        _ => return None,
    })
}

fn stemming(kind: &str, p: &Params<'_>) -> Option<Built> {
    Some(match kind {
        "porter_stem" => Ok(Arc::new(Stem::Porter)),
        "stemmer" => stemmer(p),
        "snowball" => snowball(p.text("language").unwrap_or("English")),
        "stemmer_override" => stemmer_override(p),
        _ => {
            let language = kind.strip_suffix("_stem")?;
            let filter = stem::by_name(match language {
                "dutch" | "french" | "russian" | "czech" | "arabic" | "brazilian" | "persian" => language,
                _ => return None,
            })?;
            Ok(Arc::from(filter))
        }
    })
}

/// Filters that make several tokens of one, or one of several.
fn several(kind: &str, p: &Params<'_>, cx: &Context<'_>) -> Option<Built> {
    Some(match kind {
        // The old name is left to definitions of one's own.
        "nGram" if p.is_empty() => Err(Error::illegal_argument(
            "The [nGram] token filter name was deprecated in 6.4 and cannot be used in new indices. Please change the filter name to \
             [ngram] instead.",
        )),
        "ngram" | "nGram" => ngram(p, cx.limits),
        "edge_ngram" => edge_ngram(p),
        "edgeNGram" if p.is_empty() => Err(Error::illegal_argument(
            "The [edgeNGram] token filter name was deprecated in 6.4 and cannot be used in new indices. Please change the filter name to \
             [edge_ngram] instead.",
        )),
        "edgeNGram" => Err(Error::illegal_argument(
            "The [edgeNGram] tokenizer name was deprecated pre 1.0. Please change the tokenizer name to [edge_ngram] for indices created in \
             versions 3.0 or higher instead.",
        )),
        "shingle" => shingle(p, cx.limits),
        "pattern_replace" => pattern_replace(p, cx.name),
        "pattern_capture" => pattern_capture(p),
        "word_delimiter" => word_delimiter(p, false),
        "word_delimiter_graph" => word_delimiter(p, true),
        "synonym" => synonyms(p, cx, "synonym").map(|s| Arc::new(Flat(s)) as Arc<dyn Filter>),
        "synonym_graph" => synonyms(p, cx, "synonym_graph").map(|s| Arc::new(Graph(s)) as Arc<dyn Filter>),
        "cjk_bigram" => cjk_bigram(p),
        "common_grams" => common_grams(p),
        "dictionary_decompounder" => decompounder(p),
        "multiplexer" => multiplexer(p, cx),
        _ => return None,
    })
}

fn lowercase(p: &Params<'_>) -> Built {
    let language = match p.text("language") {
        None => Language::Any,
        Some("greek") => Language::Greek,
        Some("irish") => Language::Irish,
        Some("turkish") => Language::Turkish,
        Some(other) => return Err(Error::illegal_argument(format!("language [{other}] not support for lower case"))),
    };
    Ok(Arc::new(Lowercase(language)))
}

fn truncate(p: &Params<'_>) -> Built {
    let length = p.number("length").unwrap_or(10);
    if length < 1 {
        return Err(Error::illegal_argument(
            "length parameter must be a positive number: ".to_owned() + &length.to_string(),
        ));
    }
    Ok(Arc::new(Truncate(length as usize)))
}

fn elision(p: &Params<'_>) -> Built {
    let articles = match p.list("articles") {
        Some(articles) => articles,
        None if p.is_empty() => super::languages::FRENCH_ARTICLES.map(str::to_owned).to_vec(),
        None => return Err(Error::illegal_argument("elision filter requires [articles] or [articles_path] setting")),
    };
    Ok(Arc::new(Elision(Words::new(articles, p.flag("articles_case", false)))))
}

fn length(p: &Params<'_>) -> Built {
    let (min, max) = (p.number("min").unwrap_or(0).max(0), p.number("max").unwrap_or(i64::from(i32::MAX)));
    if min > max {
        return Err(Error::illegal_argument("maximum length must not be greater than minimum length"));
    }
    Ok(Arc::new(Length { min: min as usize, max: max as usize }))
}

/// `_english_` and the like stand for lists, `_none_` for no word.
pub fn word_set(given: Option<Vec<String>>, default: &str, ignore_case: bool) -> Words {
    let mut words = vec![];
    for word in given.unwrap_or_else(|| vec![default.to_owned()]) {
        match word.strip_prefix('_').and_then(|w| w.strip_suffix('_')) {
            Some("none") => return Words::default(),
            Some(language) => match stop_words(language) {
                Some(list) => words.extend(list.iter().map(|w| (*w).to_owned())),
                None => words.push(word),
            },
            None => words.push(word),
        }
    }
    Words::new(words, ignore_case)
}

fn stop(p: &Params<'_>) -> Built {
    let words = word_set(p.list("stopwords"), "_english_", p.flag("ignore_case", false));
    Ok(Arc::new(Stop { words, remove_trailing: p.flag("remove_trailing", true) }))
}

fn keep(p: &Params<'_>) -> Built {
    let words = p.list("keep_words").ok_or_else(|| {
        Error::illegal_argument("keep requires either `keep_words` or `keep_words_path` to be configured")
    })?;
    Ok(Arc::new(Keep(Words::new(words, p.flag("keep_words_case", false)))))
}

fn keep_types(p: &Params<'_>) -> Built {
    let missing = || Error::illegal_argument("keep_types requires `types` to be configured");
    let types = p.list("types").filter(|t| !t.is_empty()).ok_or_else(missing)?;
    let exclude = match p.text("mode") {
        None | Some("include") => false,
        Some("exclude") => true,
        Some(_) => {
            return Err(Error::illegal_argument(
                "`keep_types` tokenfilter mode can only be [include] or [exclude] but was [".to_owned()
                    + p.text("mode").unwrap_or("")
                    + "].",
            ));
        }
    };
    Ok(Arc::new(KeepTypes { types: types.iter().filter_map(|t| Kind::from_name(t)).collect(), exclude }))
}

fn keyword_marker(p: &Params<'_>) -> Built {
    let pattern = p.text("keywords_pattern").map(|pattern| regex::compile(pattern, None)).transpose()?;
    let words = p.list("keywords");
    if words.is_none() && pattern.is_none() {
        return Err(Error::illegal_argument(
            "keyword filter requires either `keywords`, `keywords_path`, or `keywords_pattern` to be configured",
        ));
    }
    if words.is_some() && pattern.is_some() {
        return Err(Error::illegal_argument(
            "cannot specify both `keywords_pattern` and `keywords` or `keywords_path`",
        ));
    }
    let words = Words::new(words.unwrap_or_default(), p.flag("ignore_case", false));
    Ok(Arc::new(KeywordMarker { words, pattern }))
}

fn invalid_stemmer(name: &str) -> Error {
    let mut chars = name.chars();
    let class: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    Error::illegal_argument(format!("Invalid stemmer class specified: {class}")).with_detail(
        serde_json::json!({"caused_by": {
            "type": "class_not_found_exception", "reason": format!("org.tartarus.snowball.ext.{class}Stemmer")
        }}),
    )
}

fn stemmer(p: &Params<'_>) -> Built {
    let name = p.text("language").or(p.text("name")).unwrap_or("porter");
    let spelled = stem::spelled(name);
    if stem::LACKING.contains(&spelled.as_str()) {
        return Err(Error::illegal_argument(format!("Stemmer [{spelled}] is not supported")));
    }
    stem::by_name(name).map(Arc::from).ok_or_else(|| invalid_stemmer(name))
}

fn snowball(name: &str) -> Built {
    stem::snowball(name).map(Arc::from).ok_or_else(|| invalid_stemmer(name))
}

fn stemmer_override(p: &Params<'_>) -> Built {
    let rules = p.lines("rules").ok_or_else(|| {
        Error::illegal_argument("stemmer override filter requires either `rules` or `rules_path` to be configured")
    })?;
    Ok(Arc::new(Override::parse(&rules).map_err(|why| Error::new("runtime_exception", 500, why))?))
}

fn ngram(p: &Params<'_>, limits: Limits) -> Built {
    let (min, max) = (p.number("min_gram").unwrap_or(1), p.number("max_gram").unwrap_or(2));
    limits.check_ngram(min, max)?;
    Ok(Arc::new(Grams {
        min: min as usize,
        max: max as usize,
        edges_only: false,
        from_back: false,
        preserve_original: p.flag("preserve_original", false),
    }))
}

fn edge_ngram(p: &Params<'_>) -> Built {
    // By its name alone it makes one letter of each word.
    let default = if p.is_empty() { 1 } else { 2 };
    let (min, max) = (p.number("min_gram").unwrap_or(1), p.number("max_gram").unwrap_or(default));
    check_grams(min, max)?;
    Ok(Arc::new(Grams {
        min: min as usize,
        max: max as usize,
        edges_only: true,
        from_back: p.text("side") == Some("back"),
        preserve_original: p.flag("preserve_original", false),
    }))
}

fn shingle(p: &Params<'_>, limits: Limits) -> Built {
    let (min, max) = (p.number("min_shingle_size").unwrap_or(2), p.number("max_shingle_size").unwrap_or(2));
    let unigrams = p.flag("output_unigrams", true);
    let diff = max - min + i64::from(unigrams);
    if diff > limits.shingle_diff {
        let allowed = limits.shingle_diff;
        return Err(Error::illegal_argument(format!(
            "In Shingle TokenFilter the difference between max_shingle_size and min_shingle_size (and +1 if outputting unigrams) must be less \
             than or equal to: [{allowed}] but was [{diff}]. This limit can be set by changing the [index.max_shingle_diff] index level setting."
        )));
    }
    if max < 2 || min < 2 {
        let which = if max < 2 { "Max" } else { "Min" };
        return Err(Error::illegal_argument(format!("{which} shingle size must be >= 2")));
    }
    if min > max {
        return Err(Error::illegal_argument("Min shingle size must be <= max shingle size"));
    }
    Ok(Arc::new(Shingle {
        min: min as usize,
        max: max as usize,
        unigrams,
        unigrams_if_none: p.flag("output_unigrams_if_no_shingles", false),
        separator: p.text("token_separator").unwrap_or(" ").to_owned(),
        filler: p.text("filler_token").unwrap_or("_").to_owned(),
    }))
}

fn pattern_replace(p: &Params<'_>, name: &str) -> Built {
    let missing =
        || Error::illegal_argument(format!("pattern is missing for [{name}] token filter of type 'pattern_replace'"));
    let regex = regex::compile(p.text("pattern").ok_or_else(missing)?, p.text("flags"))?;
    Ok(Arc::new(PatternReplace {
        regex,
        replacement: p.text("replacement").unwrap_or("").to_owned(),
        all: p.flag("all", true),
    }))
}

fn pattern_capture(p: &Params<'_>) -> Built {
    let patterns = p.lines("patterns").ok_or_else(|| {
        Error::illegal_argument("required setting 'patterns' is missing for token filter [pattern_capture]")
    })?;
    let patterns = patterns.iter().map(|pattern| regex::compile(pattern, None)).collect::<Result<_>>()?;
    Ok(Arc::new(PatternCapture { patterns, preserve_original: p.flag("preserve_original", true) }))
}

fn word_delimiter(p: &Params<'_>, graph: bool) -> Built {
    let mut types = vec![];
    for rule in p.lines("type_table").unwrap_or_default() {
        let invalid = || {
            Error::new(
                "runtime_exception",
                500,
                format!("Invalid Mapping Rule : [{rule}]. Only a single character is allowed."),
            )
        };
        let (from, to) = rule.rsplit_once("=>").ok_or_else(invalid)?;
        let from = from.trim().trim_start_matches('\\');
        let class = class_named(to.trim()).ok_or_else(invalid)?;
        types.push((from.chars().next().ok_or_else(invalid)?, class));
    }
    Ok(Arc::new(WordDelimiter {
        generate_word_parts: p.flag("generate_word_parts", true),
        generate_number_parts: p.flag("generate_number_parts", true),
        catenate_words: p.flag("catenate_words", false),
        catenate_numbers: p.flag("catenate_numbers", false),
        catenate_all: p.flag("catenate_all", false),
        preserve_original: p.flag("preserve_original", false),
        split_on_case_change: p.flag("split_on_case_change", true),
        split_on_numerics: p.flag("split_on_numerics", true),
        stem_english_possessive: p.flag("stem_english_possessive", true),
        adjust_offsets: p.flag("adjust_offsets", true),
        ignore_keywords: p.flag("ignore_keywords", false),
        protected: Words::new(p.list("protected_words").unwrap_or_default(), false),
        types,
        graph,
    }))
}

fn common_grams(p: &Params<'_>) -> Built {
    let words = p.list("common_words").filter(|words| !words.is_empty());
    if words.is_none() && !p.is_empty() {
        return Err(Error::illegal_argument(
            "missing or empty [common_words] or [common_words_path] configuration for common_grams token filter",
        ));
    }
    let common = word_set(words, "_none_", p.flag("ignore_case", false));
    Ok(Arc::new(CommonGrams { common, query_mode: p.flag("query_mode", false) }))
}

fn decompounder(p: &Params<'_>) -> Built {
    let words = p.list("word_list").ok_or_else(|| {
        Error::illegal_argument(
            "word_list must be provided for [dictionary_decompounder], either as a path to a file, or directly",
        )
    })?;
    let size = |name: &str, default: i64| p.number(name).unwrap_or(default).max(0) as usize;
    Ok(Arc::new(Decompounder {
        words: Words::new(words, false),
        min_word: size("min_word_size", 5),
        min_part: size("min_subword_size", 2).max(1),
        max_part: size("max_subword_size", 15),
        only_longest: p.flag("only_longest_match", false),
    }))
}

fn multiplexer(p: &Params<'_>, cx: &Context<'_>) -> Built {
    let mut chains = vec![];
    for line in p.lines("filters").unwrap_or_default() {
        let mut chain: Vec<Arc<dyn Filter>> = vec![];
        for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let missing = || {
                Error::illegal_argument(format!(
                    "Multiplexing filter [{}] refers to undefined tokenfilter [{name}]",
                    cx.name
                ))
            };
            chain.push((cx.lookup)(name).ok_or_else(missing)??);
        }
        chains.push(chain);
    }
    Ok(Arc::new(Multiplexer { chains, preserve_original: p.flag("preserve_original", true) }))
}

fn cjk_bigram(p: &Params<'_>) -> Built {
    let ignored = p.list("ignored_scripts").unwrap_or_default();
    let takes = |script: &str| !ignored.iter().any(|i| i == script);
    Ok(Arc::new(CjkBigram {
        han: takes("han"),
        hiragana: takes("hiragana"),
        katakana: takes("katakana"),
        hangul: takes("hangul"),
        output_unigrams: p.flag("output_unigrams", false),
    }))
}

fn synonyms(p: &Params<'_>, cx: &Context<'_>, kind: &str) -> Result<Synonyms> {
    let lines = p.lines("synonyms").ok_or_else(|| {
        let kind = if kind == "synonym" { "synonym" } else { "synonym_graph" };
        Error::illegal_argument(format!("{kind} requires either `synonyms` or `synonyms_path` to be configured"))
    })?;
    if p.text("format") == Some("wordnet") {
        return Err(Error::illegal_argument("synonyms in the wordnet format are not supported"));
    }
    let analyze = |phrase: &str| words_of(cx.chain, phrase);
    Synonyms::parse(&lines, p.flag("expand", true), p.flag("lenient", false), &analyze)
        .map_err(|_| Error::illegal_argument("Failed to build synonyms"))
}

/// The words of a synonym, which must stand side by side.
fn words_of(chain: &Chain, phrase: &str) -> std::result::Result<Vec<String>, String> {
    let analyzer = crate::analysis::Analyzer {
        name: String::new(),
        char_filters: chain.char_filters.clone(),
        tokenizer: chain.tokenizer.clone(),
        filters: chain.filters.clone(),
        position_increment_gap: 0,
    };
    let mut tokens = Tokens::default();
    analyzer.run(phrase, &mut tokens);
    if tokens.toks.is_empty() {
        return Err(format!("term: {phrase} was completely eliminated by analyzer"));
    }
    if let Some(tok) = tokens.toks.iter().find(|t| t.inc != 1) {
        let term = tokens.text(tok);
        return Err(format!(
            "term: {phrase} analyzed to a token ({term}) with position increment != 1 (got: {})",
            tok.inc
        ));
    }
    Ok(tokens.toks.iter().map(|t| tokens.text(t).to_owned()).collect())
}
