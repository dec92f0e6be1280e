//! Explanations: how a score came about, in Lucene's words.

use super::json;

#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    Float(f32),
    Integer(u64),
}

/// A tree of values and what they mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub matched: bool,
    pub value: Number,
    pub description: String,
    pub details: Vec<Explanation>,
}

impl Explanation {
    pub fn new(value: f32, description: impl Into<String>) -> Self {
        Self::with(value, description, Vec::new())
    }

    pub fn with(value: f32, description: impl Into<String>, details: Vec<Explanation>) -> Self {
        Explanation { matched: true, value: Number::Float(value), description: description.into(), details }
    }

    pub fn integer(value: u64, description: impl Into<String>) -> Self {
        Explanation {
            matched: true,
            value: Number::Integer(value),
            description: description.into(),
            details: Vec::new(),
        }
    }

    pub fn no_match(description: impl Into<String>) -> Self {
        Explanation { matched: false, value: Number::Float(0.0), description: description.into(), details: Vec::new() }
    }

    pub fn no_match_with(description: impl Into<String>, details: Vec<Explanation>) -> Self {
        Explanation { details, ..Self::no_match(description) }
    }

    /// The value as a score.
    pub fn score(&self) -> f32 {
        match self.value {
            Number::Float(value) => value,
            Number::Integer(value) => value as f32,
        }
    }

    /// `{"value": …, "description": …, "details": […]}`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"value\":");
        match self.value {
            Number::Float(value) => json::write_f32(out, value),
            Number::Integer(value) => json::write_display(out, value),
        }
        out.extend_from_slice(b",\"description\":");
        json::write_str(out, &self.description);
        out.extend_from_slice(b",\"details\":[");
        for (i, detail) in self.details.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            detail.write(out);
        }
        out.extend_from_slice(b"]}");
    }
}

impl Explanation {
    /// A phrase's frequency is written with its value.
    pub fn rename_frequency(mut self, frequency: f32) -> Self {
        fn walk(explanation: &mut Explanation, text: &str) {
            if explanation.description == "phraseFreq=" {
                text.clone_into(&mut explanation.description);
            }
            for detail in &mut explanation.details {
                walk(detail, text);
            }
        }
        let mut text = b"phraseFreq=".to_vec();
        json::write_f32(&mut text, frequency);
        walk(&mut self, &String::from_utf8(text).unwrap_or_default());
        self
    }
}
