//! Final results as the JSON that OpenSearch answers.

use super::out::Out;
use super::partial::Partial;
use super::plan::{AggNode, AggPlan};

#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions {
    /// Names carry the type: `sterms#name`.
    pub typed_keys: bool,
    /// Totals of hits are plain numbers.
    pub total_as_int: bool,
}

/// The object that stands behind `"aggregations":`.
pub fn render(plan: &AggPlan, merged: &[Partial], options: RenderOptions) -> String {
    let mut out = Out::default();
    out.begin_object();
    subs(&plan.aggs, merged, &mut out, options);
    out.end_object();
    out.finish()
}

/// The aggregations of one bucket, as members of its object.
pub fn subs(nodes: &[AggNode], partials: &[Partial], out: &mut Out, options: RenderOptions) {
    for (node, partial) in nodes.iter().zip(partials) {
        if options.typed_keys {
            out.key(&format!("{}#{}", node.kind.type_name(partial), node.name));
        } else {
            out.key(&node.name);
        }
        out.begin_object();
        if let Some(meta) = &node.meta {
            out.key("meta");
            out.json(meta);
        }
        node.kind.render(partial, node, out, options);
        out.end_object();
    }
}
