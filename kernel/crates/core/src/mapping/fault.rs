//! What may be wrong with one value, with OpenSearch's error types and sentences.

use serde_json::{Value, json};

use super::json::JsonError;
use crate::Error;

/// An error with its causes, outermost first.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub kind: &'static str,
    pub reason: String,
    pub cause: Option<Box<Fault>>,
}

impl Fault {
    pub fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), cause: None }
    }

    pub fn argument(reason: impl Into<String>) -> Self {
        Self::new("illegal_argument_exception", reason)
    }

    pub fn mapper(reason: impl Into<String>) -> Self {
        Self::new("mapper_parsing_exception", reason)
    }

    pub fn caused_by(mut self, cause: Fault) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Found when the document is indexed, after it was parsed: told as it is.
    pub fn is_immense(&self) -> bool {
        self.reason.starts_with("Document contains at least one immense term")
    }

    fn cause_json(&self) -> Value {
        let mut body = json!({"type": self.kind, "reason": self.reason});
        if let Some(cause) = &self.cause {
            body["caused_by"] = cause.cause_json();
        }
        body
    }

    /// The error of the document; what is no mapper error itself becomes the cause of `failed to parse`.
    pub fn into_error(self) -> Error {
        let own =
            matches!(self.kind, "mapper_parsing_exception" | "strict_dynamic_mapping_exception") || self.is_immense();
        let fault = if own { self } else { Fault::mapper("failed to parse").caused_by(self) };
        let error = Error::new(fault.kind, 400, fault.reason.clone());
        match &fault.cause {
            Some(cause) => error.with_detail(json!({"caused_by": cause.cause_json()})),
            None => error,
        }
    }
}

impl From<JsonError> for Fault {
    fn from(e: JsonError) -> Self {
        let kind = if e.message.contains("StreamReadConstraints") {
            "stream_constraints_exception"
        } else if e.message.starts_with("Unexpected end-of-input") {
            "json_e_o_f_exception"
        } else {
            "json_parse_exception"
        };
        Self::new(kind, e.message)
    }
}
