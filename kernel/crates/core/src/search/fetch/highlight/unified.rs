//! The unified highlighter: passages of whole sentences, the best of them, every hit tagged.

use super::breaks::Breaks;
use super::find::TextHit;
use super::passages::{Bounded, Passage, passages};
use super::text::{FieldText, SEPARATOR};
use super::{Options, append};

pub fn fragments(text: &FieldText, hits: &[TextHit], options: &Options<'_>) -> Vec<String> {
    if hits.is_empty() {
        return excerpt(text, options).into_iter().collect();
    }
    let whole = options.fragments == 0;
    let mut bounds = if whole {
        Bounded::plain(Breaks::values(&text.chars))
    } else if options.scanner == "word" {
        Bounded::plain(Breaks::words(&text.chars))
    } else if options.fragment_size == 0 {
        Bounded::plain(Breaks::sentences(&text.chars))
    } else {
        Bounded::sentences(&text.chars, options.fragment_size)
    };
    let most = if whole { usize::MAX } else { options.fragments };
    let mut found = passages(text.chars.len(), hits, &mut bounds, most);
    if options.by_score {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    found.iter().map(|passage| format(text, passage, options)).collect()
}

/// The beginning of the first value, for fields without a hit.
fn excerpt(text: &FieldText, options: &Options<'_>) -> Option<String> {
    if options.no_match_size == 0 {
        return None;
    }
    let (start, mut end) = text.values.iter().copied().find(|(start, end)| end > start)?;
    if start + options.no_match_size < end {
        end = Breaks::words(&text.chars[..end]).following(start + options.no_match_size).unwrap_or(end);
    }
    let passage = Passage { start, end, hits: Vec::new(), score: 0.0 };
    Some(format(text, &passage, options))
}

fn format(text: &FieldText, passage: &Passage, options: &Options<'_>) -> String {
    let chars = &text.chars;
    let mut out = String::new();
    let mut at = passage.start;
    for (start, end) in &passage.hits {
        if *start > at {
            append(&mut out, &chars[at..*start], options.html);
        }
        if *end > at {
            out.push_str(options.pre);
            append(&mut out, &chars[at.max(*start)..*end], options.html);
            out.push_str(options.post);
            at = *end;
        }
    }
    append(&mut out, &chars[at..at.max(passage.end)], options.html);
    let shown = out.strip_suffix(SEPARATOR).unwrap_or(&out);
    shown.trim_matches(|c: char| c <= ' ').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "the quick brown fox jumps over the lazy dog. A quick sentence follows here, and quick brown again! More text without words to be long enough for several fragments, it goes on and on and on until the quick end of it all.";

    fn text(value: &str) -> FieldText {
        let chars: Vec<char> = value.chars().collect();
        let mut text = FieldText::default();
        text.values.push((0, chars.len()));
        text.chars = chars;
        let starts = value
            .match_indices(|c: char| c.is_alphanumeric())
            .filter(|(at, _)| *at == 0 || !value[..*at].ends_with(|c: char| c.is_alphanumeric()));
        for (position, (start, _)) in starts.enumerate() {
            let end = value[start..].find(|c: char| !c.is_alphanumeric()).map_or(value.len(), |at| start + at);
            text.push(&value[start..end].to_lowercase(), position as u32, start, end);
        }
        text
    }

    fn options(fragment_size: usize) -> Options<'static> {
        Options {
            pre: "<em>",
            post: "</em>",
            html: false,
            fragment_size,
            fragments: 5,
            no_match_size: 0,
            by_score: false,
            scanner: "sentence",
            simple: false,
        }
    }

    fn quick(value: &str, fragment_size: usize) -> Vec<String> {
        let text = text(value);
        let hits: Vec<TextHit> = text
            .tokens
            .iter()
            .filter(|token| text.term(token) == "quick")
            .map(|token| TextHit {
                start: token.start,
                end: token.end,
                term: text.term(token).to_owned(),
                position: token.position,
                boost: 1.0,
            })
            .collect();
        fragments(&text, &hits, &options(fragment_size))
    }

    /// What OpenSearch answers.
    #[test]
    fn passages_are_those_of_opensearch() {
        assert_eq!(
            quick(TEXT, 100),
            [
                "the <em>quick</em> brown fox jumps over the lazy dog. A <em>quick</em> sentence follows here, and <em>quick</em> brown again!",
                "More text without words to be long enough for several fragments, it goes on and on and on until the <em>quick</em>",
            ]
        );
        assert_eq!(
            quick(TEXT, 20),
            [
                "the <em>quick</em> brown fox jumps",
                "A <em>quick</em> sentence follows",
                "here, and <em>quick</em> brown",
                "on and on until the <em>quick</em>",
            ]
        );
        let odd =
            "foo bar is new\nbaz quick zap. and lower quick case. 3.5 Quick U.S.A. Quick (paren.) Quick? really quick";
        assert_eq!(
            quick(odd, 25),
            [
                "foo bar is new\nbaz <em>quick</em> zap",
                ". and lower <em>quick</em> case. 3.5",
                "<em>Quick</em> U.S.A.",
                "<em>Quick</em> (paren.) <em>Quick</em>?",
                "really <em>quick</em>",
            ]
        );
    }
}
