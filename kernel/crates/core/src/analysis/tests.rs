//! What real Lucene answers, as a table: chain, text, `term@position` of each token.

use serde_json::{Value, json};

use super::{Analyzers, analyze};

fn run(settings: &Value, request: &Value) -> crate::Result<String> {
    let body = analyze(&Analyzers::from_settings(settings)?, None, request)?;
    let shown = |t: &Value| format!("{}@{}", t["token"].as_str().unwrap_or_default(), t["position"]);
    Ok(body["tokens"].as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join(" "))
}

#[test]
fn analyzers_agree_with_lucene() {
    for (analyzer, text, expected) in [
        ("standard", "The QUICK fox's", "the@0 quick@1 fox's@2"),
        ("simple", "The 2 QUICK", "the@0 quick@1"),
        ("simple", "_ตระกูล: सही Ⅷa", "ตระก@0 ล@1 सह@2 a@3"),
        ("whitespace", "The-2 QUICK", "The-2@0 QUICK@1"),
        ("stop", "the quick of fox", "quick@1 fox@3"),
        ("keyword", "New York", "New York@0"),
        ("pattern", "a-b_c d", "a@0 b_c@1 d@2"),
        ("fingerprint", "Zoë b a b", "a b zoe@0"),
        ("english", "The dogs' running possibilities", "dog@1 run@2 possibl@3"),
        ("german", "die schönen Häuser der Straße", "schon@1 haus@2 strass@4"),
        ("french", "l'avion et les chevaux généraux", "avion@0 cheval@3 general@4"),
        ("cjk", "日本語テスト", "日本@0 本語@1 語テ@2 テス@3 スト@4"),
    ] {
        assert_eq!(
            run(&json!({}), &json!({"analyzer": analyzer, "text": text})).expect(analyzer),
            expected,
            "{analyzer}"
        );
    }
}

#[test]
fn filters_agree_with_lucene() {
    let synonyms = |kind: &str, rule: &str| json!({"type": kind, "synonyms": [rule]});
    for (filters, text, expected) in [
        (json!(["stop", {"type": "shingle"}]), "quick of fox", "quick@0 quick _@0 _ fox@1 fox@2"),
        (json!([{"type": "ngram"}]), "abc", "a@0 ab@0 b@0 bc@0 c@0"),
        (json!([{"type": "edge_ngram", "min_gram": 2, "max_gram": 3}]), "abcd x yz", "ab@0 abc@0 yz@2"),
        (
            json!([synonyms("synonym", "dns, domain name system")]),
            "dns is up",
            "dns@0 domain@0 is@1 name@1 up@2 system@2",
        ),
        (
            json!([synonyms("synonym_graph", "dns, domain name system")]),
            "dns is up",
            "domain@0 dns@0 name@1 system@2 is@3 up@4",
        ),
        (json!([synonyms("synonym_graph", "a b => c")]), "x a b y", "x@0 c@1 y@2"),
        (json!([{"type": "word_delimiter", "catenate_all": true}]), "XL500", "XL@0 XL500@0 500@1"),
        (json!([{"type": "word_delimiter_graph", "preserve_original": true}]), "wi_Fi", "wi_Fi@0 wi@0 Fi@1"),
        (json!([{"type": "pattern_replace", "pattern": "(o)(.)", "replacement": "$2$1"}]), "foobar", "foobar@0"),
        (json!([{"type": "length", "min": 2}, "unique"]), "aa b aa cc", "aa@0 cc@1"),
        (json!([{"type": "keyword_marker", "keywords": ["dogs"]}, "porter_stem"]), "dogs cats", "dogs@0 cat@1"),
        (json!([{"type": "stemmer_override", "rules": ["dogs => hound"]}, "porter_stem"]), "dogs", "hound@0"),
        (
            json!([{"type": "elision", "articles": ["l"]}, "reverse", {"type": "truncate", "length": 3}]),
            "l'avion",
            "noi@0",
        ),
        (json!(["asciifolding", "uppercase"]), "Ærø straße", "AERO@0 STRASSE@1"),
    ] {
        let request = json!({"tokenizer": "standard", "filter": filters, "text": text});
        assert_eq!(run(&json!({}), &request).expect("runs"), expected, "{filters}");
    }
}

#[test]
fn refusals_are_opensearchs() {
    let build = |settings: Value| Analyzers::from_settings(&json!({"analysis": settings})).err().expect("refused");
    for (settings, reason) in [
        (json!({"analyzer": {"a": {"type": "nope"}}}), "Unknown analyzer type [nope] for [a]"),
        (
            json!({"analyzer": {"a": {"filter": []}}}),
            "analyzer [a] must specify either an analyzer type, or a tokenizer",
        ),
        (json!({"analyzer": {"a": {"tokenizer": "standard", "filter": ["x"]}}}), "Failed to build analyzers: [a]"),
        (json!({"filter": {"f": {"type": "nope"}}}), "Unknown filter type [nope] for [f]"),
        (
            json!({"filter": {"unused": {"type": "ngram", "min_gram": 1, "max_gram": 5}}}),
            "The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: [1] but was [4]. \
             This limit can be set by changing the [index.max_ngram_diff] index level setting.",
        ),
        (json!({"normalizer": {"n": {"filter": ["stop"]}}}), "Custom normalizer [n] may not use filter [stop]"),
    ] {
        assert_eq!(build(settings).reason, reason);
    }
    for (request, reason) in [
        (json!({"analyzer": "x", "text": "a"}), "failed to find global analyzer [x]"),
        (json!({"tokenizer": "x", "text": "a"}), "failed to find global tokenizer under [x]"),
        (json!({"analyzer": "standard"}), "Validation Failed: 1: text is missing;"),
    ] {
        assert_eq!(run(&json!({}), &request).expect_err("refused").reason, reason);
    }
    let few = json!({"index.analyze.max_token_count": 2});
    assert!(run(&few, &json!({"text": "a b c"})).expect_err("too many").reason.contains("allowed maximum of [2]"));
}

#[test]
fn custom_analyzers_take_their_own_components() {
    let settings = json!({"analysis": {
        "char_filter": {"c": {"type": "mapping", "mappings": ["& => and"]}},
        "filter": {"f": {"type": "stop", "stopwords": ["and"]}},
        "analyzer": {"a": {"tokenizer": "whitespace", "char_filter": ["c"], "filter": ["lowercase", "f"]}}
    }});
    assert_eq!(run(&settings, &json!({"analyzer": "a", "text": "You & Me"})).expect("runs"), "you@0 me@2");
}
