//! See docs/kernel.md.
