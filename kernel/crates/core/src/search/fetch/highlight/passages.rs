//! Cutting a text into passages around its hits, and scoring them, as Lucene's unified highlighter does.

use rustc_hash::FxHashMap;

use super::breaks::{Breaks, Words};
use super::find::TextHit;
use super::text::SEPARATOR;

const K1: f32 = 1.2;
const B: f32 = 0.75;
/// Typical length of a passage.
const PIVOT: f32 = 87.0;

/// A part of the text with the hits in it.
#[derive(Debug, Clone)]
pub struct Passage {
    pub start: usize,
    pub end: usize,
    pub hits: Vec<(usize, usize)>,
    pub score: f32,
}

/// Where passages begin and end: at sentences, joined up to a length and cut beyond it.
pub struct Bounded<'c> {
    main: Breaks,
    words: Option<Words<'c>>,
    limit: usize,
    window: (usize, usize),
    inner: (usize, usize),
    fresh: bool,
}

impl<'c> Bounded<'c> {
    /// Passages of about `limit` characters.
    pub fn sentences(chars: &'c [char], limit: usize) -> Self {
        Bounded {
            main: Breaks::sentences(chars),
            words: Some(Words(chars)),
            limit,
            window: (0, 0),
            inner: (0, 0),
            fresh: true,
        }
    }

    /// Exactly what lies between boundaries.
    pub fn plain(main: Breaks) -> Self {
        Bounded { main, words: None, limit: 0, window: (0, 0), inner: (0, 0), fresh: true }
    }

    /// The passage around an offset. Offsets come in ascending order.
    fn around(&mut self, offset: usize, length: usize) -> (usize, usize) {
        let Some(words) = &self.words else {
            return (self.main.preceding(offset + 1), self.main.following(offset).unwrap_or(length));
        };
        let at = offset + 1;
        if !self.fresh && at > self.window.0 && at < self.window.1 {
            self.inner = (self.inner.1, self.window.1);
        } else {
            let start = self.main.preceding(at);
            let mut end = self.main.following(at - 1).unwrap_or(length);
            // No passage reaches into the next value.
            while end - start < self.limit && words.0.get(end) != Some(&SEPARATOR) {
                match self.main.following(end) {
                    Some(next) if next - start <= self.limit => end = next,
                    _ => break,
                }
            }
            self.window = (start, end);
            self.inner = self.window;
            self.fresh = false;
        }
        let (mut start, mut end) = self.inner;
        if end - start > self.limit {
            if at > self.limit && at - self.limit > start {
                start = start.max(words.preceding(at - self.limit));
            }
            let rest = self.limit.saturating_sub(at - start);
            if at + rest < self.window.1 {
                end = self.window.1.min(words.following(at + rest).unwrap_or(length));
            }
        }
        self.inner = (start, end);
        self.inner
    }
}

/// The best passages, in the order of the text.
pub fn passages(length: usize, hits: &[TextHit], bounds: &mut Bounded<'_>, most: usize) -> Vec<Passage> {
    let mut frequencies: FxHashMap<&str, u32> = FxHashMap::default();
    for hit in hits {
        *frequencies.entry(hit.term.as_str()).or_default() += 1;
    }
    let mut found: Vec<Passage> = Vec::new();
    let mut terms: FxHashMap<&str, u32> = FxHashMap::default();
    let mut last_end = 0;
    for hit in hits {
        if found.last().is_none_or(|passage| hit.start >= passage.end) {
            if let Some(passage) = found.last_mut() {
                passage.score = score(passage, &terms, &frequencies, length);
            }
            terms.clear();
            let (start, end) = bounds.around(hit.start, length);
            let start = start.max(last_end);
            last_end = end.min(length);
            found.push(Passage { start, end: last_end, hits: Vec::new(), score: 0.0 });
        }
        if let Some(passage) = found.last_mut() {
            passage.hits.push((hit.start, hit.end));
            *terms.entry(hit.term.as_str()).or_default() += 1;
        }
    }
    if let Some(passage) = found.last_mut() {
        passage.score = score(passage, &terms, &frequencies, length);
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.start.cmp(&b.start)));
    found.truncate(most);
    found.sort_by_key(|passage| passage.start);
    found
}

fn score(passage: &Passage, terms: &FxHashMap<&str, u32>, frequencies: &FxHashMap<&str, u32>, length: usize) -> f32 {
    let documents = 1.0 + length as f32 / PIVOT;
    let norm = K1 * ((1.0 - B) + B * ((passage.end - passage.start) as f32 / PIVOT));
    let mut sum = 0.0;
    for (term, count) in terms {
        let total = f64::from(frequencies.get(term).copied().unwrap_or(1));
        let weight = (K1 + 1.0) * (1.0 + (f64::from(documents) + 0.5) / (total + 0.5)).ln() as f32;
        sum += weight * (*count as f32 / (*count as f32 + norm));
    }
    sum * (1.0 + 1.0 / (PIVOT + passage.start as f32).ln())
}
