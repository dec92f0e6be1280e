//! BM25 exactly as Lucene 8 and later compute it: k1 = 1.2, b = 0.75, no factor (k1 + 1), statistics of documents that have the field.

mod conjunction;
mod optional;
mod statistics;
mod term;
mod union;

use std::sync::{Arc, OnceLock};

use tantivy::fieldnorm::FieldNormReader;

use super::explain::Explanation;

pub use conjunction::{Conjunction, Unscored};
pub use optional::{WithOptional, Without};
pub use statistics::{FieldStatistics, TermStates};
pub use term::{TermScorer, norms};
pub use union::{Combine, Union};

pub const K1: f32 = 1.2;
pub const B: f32 = 0.75;

/// Lucene's idf: ln(1 + (N - n + 0.5) / (n + 0.5)).
pub fn idf(doc_freq: u64, doc_count: u64) -> f32 {
    let n = doc_freq as f64;
    let total = doc_count.max(doc_freq) as f64;
    (1.0 + (total - n + 0.5) / (n + 0.5)).ln() as f32
}

/// Field lengths by the byte that norms are stored as.
fn lengths() -> &'static [f32; 256] {
    static LENGTHS: OnceLock<[f32; 256]> = OnceLock::new();
    LENGTHS.get_or_init(|| std::array::from_fn(|id| FieldNormReader::id_to_fieldnorm(id as u8) as f32))
}

/// The inverse of k1 * (1 - b + b * dl / avgdl) for each length byte.
pub fn norm_inverses(average_length: f32) -> Arc<[f32; 256]> {
    let lengths = lengths();
    Arc::new(std::array::from_fn(|id| 1.0 / (K1 * ((1.0 - B) + B * lengths[id] / average_length))))
}

/// The similarity of one clause.
#[derive(Clone)]
pub struct Bm25 {
    /// boost × idf.
    pub weight: f32,
    pub boost: f32,
    pub idf: Idf,
    pub average_length: f32,
    pub norm_inverses: Arc<[f32; 256]>,
}

/// Where the idf comes from, for explanations.
#[derive(Clone)]
pub struct Idf {
    pub value: f32,
    /// (document frequency, document count) of each term.
    pub terms: Vec<(u64, u64, String)>,
}

impl Bm25 {
    /// Similarity of terms of one field; the idf of several is their sum.
    pub fn new(boost: f32, statistics: &FieldStatistics, frequencies: &[(u64, &str)]) -> Self {
        let mut sum = 0f64;
        let mut terms = Vec::with_capacity(frequencies.len());
        for (frequency, text) in frequencies {
            sum += f64::from(idf(*frequency, statistics.doc_count));
            terms.push((*frequency, statistics.doc_count, (*text).to_owned()));
        }
        let idf = Idf { value: sum as f32, terms };
        Bm25 {
            weight: boost * idf.value,
            boost,
            idf,
            average_length: statistics.average_length,
            norm_inverses: Arc::clone(&statistics.norm_inverses),
        }
    }

    #[inline]
    pub fn score(&self, frequency: f32, length: u8) -> f32 {
        self.score_with(frequency, self.norm_inverses[length as usize])
    }

    /// The score for an entry of `norm_inverses`.
    #[inline]
    pub fn score_with(&self, frequency: f32, norm_inverse: f32) -> f32 {
        self.weight - self.weight / (1.0 + frequency * norm_inverse)
    }

    pub fn explain(&self, frequency: f32, frequency_text: &str, length: u8, description: &str) -> Explanation {
        let score = self.score(frequency, length);
        let mut details = Vec::new();
        if self.boost != 1.0 {
            details.push(Explanation::new(self.boost, "boost"));
        }
        details.push(self.explain_idf());
        details.push(self.explain_tf(frequency, frequency_text, length));
        let inner = Explanation::with(
            score,
            format!("score(freq={}), computed as boost * idf * tf from:", java_float(frequency)),
            details,
        );
        Explanation::with(score, description.to_owned(), vec![inner])
    }

    fn explain_idf(&self) -> Explanation {
        let one = |frequency: u64, count: u64| {
            Explanation::with(
                idf(frequency, count),
                "idf, computed as log(1 + (N - n + 0.5) / (n + 0.5)) from:",
                vec![
                    Explanation::integer(frequency, "n, number of documents containing term"),
                    Explanation::integer(count, "N, total number of documents with field"),
                ],
            )
        };
        match self.idf.terms.as_slice() {
            [(frequency, count, _)] => one(*frequency, *count),
            terms => Explanation::with(
                self.idf.value,
                "idf, sum of:",
                terms.iter().map(|(frequency, count, _)| one(*frequency, *count)).collect(),
            ),
        }
    }

    fn explain_tf(&self, frequency: f32, frequency_text: &str, length: u8) -> Explanation {
        let inverse = self.norm_inverses[length as usize];
        let tf = 1.0 - 1.0 / (1.0 + frequency * inverse);
        let dl = lengths()[length as usize];
        let dl_text = if length < 40 { "dl, length of field" } else { "dl, length of field (approximate)" };
        Explanation::with(
            tf,
            "tf, computed as freq / (freq + k1 * (1 - b + b * dl / avgdl)) from:",
            vec![
                Explanation::new(frequency, frequency_text),
                Explanation::new(K1, "k1, term saturation parameter"),
                Explanation::new(B, "b, length normalization parameter"),
                Explanation::new(dl, dl_text),
                Explanation::new(self.average_length, "avgdl, average length of field"),
            ],
        )
    }
}

fn java_float(value: f32) -> String {
    let mut out = Vec::new();
    super::json::write_f32(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}
