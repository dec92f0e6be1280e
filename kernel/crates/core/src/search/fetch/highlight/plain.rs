//! The plain highlighter: each value cut into fragments of about one size, the best of them.

use rustc_hash::FxHashSet;

use super::find::TextHit;
use super::text::{FieldText, TextToken};
use super::{Options, append};

/// A fragment with its score: each term in it counts once.
struct Fragment {
    text: String,
    score: f32,
}

pub fn fragments(text: &FieldText, hits: &[TextHit], options: &Options<'_>) -> Vec<String> {
    let mut found: Vec<Fragment> = Vec::new();
    let most = if options.fragments == 0 { 1 } else { options.fragments };
    for (start, end) in &text.values {
        let mut own = value_fragments(text, hits, (*start, *end), options);
        own.sort_by(|a, b| b.score.total_cmp(&a.score));
        own.truncate(most);
        own.retain(|fragment| fragment.score > 0.0);
        found.extend(own);
    }
    if options.by_score {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    if options.fragments > 0 || text.values.len() == 1 {
        found.truncate(most);
    }
    if found.is_empty() {
        return excerpt(text, options).into_iter().collect();
    }
    found.into_iter().map(|fragment| fragment.text).collect()
}

fn excerpt(text: &FieldText, options: &Options<'_>) -> Option<String> {
    if options.no_match_size == 0 {
        return None;
    }
    let (start, end) = *text.values.first()?;
    let tokens = text.tokens.iter().filter(|token| token.start >= start && token.end <= end);
    let mut good = None;
    for token in tokens {
        if token.end - start > options.no_match_size {
            break;
        }
        good = Some(token.end);
    }
    let mut out = String::new();
    append(&mut out, &text.chars[start..good?], options.html);
    Some(out)
}

/// Cuts a value where a token ends beyond a multiple of the fragment size.
fn value_fragments(
    text: &FieldText,
    hits: &[TextHit],
    (start, end): (usize, usize),
    options: &Options<'_>,
) -> Vec<Fragment> {
    let tokens: Vec<&TextToken> = text.tokens.iter().filter(|token| token.start >= start && token.end <= end).collect();
    let mut cuts = vec![start];
    if options.fragments > 0 && options.fragment_size > 0 {
        let (size, length) = (options.fragment_size, end - start);
        let mut count = 1;
        let mut behind = start;
        let mut held: Option<u32> = None;
        for token in &tokens {
            if let Some(until) = held {
                if token.position < until {
                    behind = behind.max(token.end);
                    continue;
                }
                held = None;
            }
            if !options.simple {
                // A run of hits is not cut.
                held = run_from(hits, token).filter(|until| *until > token.position + 1);
            }
            let place = token.end - start;
            let far = options.simple || length.saturating_sub(place) >= size / 2;
            if place >= size * count && far {
                cuts.push(behind);
                count += 1;
            }
            behind = behind.max(token.end);
        }
    }
    cuts.push(end);
    cuts.windows(2).map(|pair| fragment(text, hits, (pair[0], pair[1]), options)).collect()
}

/// The position behind the run of adjacent hits that begins at a token.
fn run_from(hits: &[TextHit], token: &TextToken) -> Option<u32> {
    let mut until = token.position;
    for hit in hits.iter().filter(|hit| hit.position >= token.position) {
        if hit.position > until {
            break;
        }
        until = hit.position + 1;
    }
    (until > token.position).then_some(until)
}

fn fragment(text: &FieldText, hits: &[TextHit], (start, end): (usize, usize), options: &Options<'_>) -> Fragment {
    let mut out = String::new();
    let mut seen: FxHashSet<&str> = FxHashSet::default();
    let (mut at, mut score) = (start, 0.0);
    for hit in hits.iter().filter(|hit| hit.start >= start && hit.end <= end) {
        if seen.insert(&hit.term) {
            score += hit.boost;
        }
        if hit.end <= at {
            continue;
        }
        if hit.start > at {
            append(&mut out, &text.chars[at..hit.start], options.html);
        }
        out.push_str(options.pre);
        append(&mut out, &text.chars[at.max(hit.start)..hit.end], options.html);
        out.push_str(options.post);
        at = hit.end;
    }
    append(&mut out, &text.chars[at..end], options.html);
    Fragment { text: out, score }
}
