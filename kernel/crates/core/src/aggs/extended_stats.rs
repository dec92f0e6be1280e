//! What `extended_stats` shows beyond `stats`: squares, variances, deviations and their bounds.

use super::metric::Moments;
use super::out::Out;

fn variance_population(m: &Moments) -> f64 {
    let count = m.count as f64;
    clamp((m.squares - m.sum * m.sum / count) / count)
}

fn variance_sampling(m: &Moments) -> f64 {
    let count = m.count as f64;
    clamp((m.squares - m.sum * m.sum / count) / (count - 1.0))
}

/// Rounding may leave a variance a little below zero.
fn clamp(variance: f64) -> f64 {
    if variance < 0.0 { 0.0 } else { variance }
}

/// A number by the name that order paths use.
pub fn value(m: &Moments, sigma: f64, key: &str) -> Option<f64> {
    let population = variance_population(m).sqrt();
    let sampling = variance_sampling(m).sqrt();
    Some(match key {
        "sum_of_squares" => m.squares,
        "variance" | "variance_population" => variance_population(m),
        "variance_sampling" => variance_sampling(m),
        "std_deviation" | "std_deviation_population" => population,
        "std_deviation_sampling" => sampling,
        "std_upper" | "std_upper_population" => m.avg() + population * sigma,
        "std_lower" | "std_lower_population" => m.avg() - population * sigma,
        "std_upper_sampling" => m.avg() + sampling * sigma,
        "std_lower_sampling" => m.avg() - sampling * sigma,
        _ => return None,
    })
}

const NUMBERS: [&str; 7] = [
    "sum_of_squares",
    "variance",
    "variance_population",
    "variance_sampling",
    "std_deviation",
    "std_deviation_population",
    "std_deviation_sampling",
];

const BOUNDS: [(&str, &str); 6] = [
    ("upper", "std_upper"),
    ("lower", "std_lower"),
    ("upper_population", "std_upper_population"),
    ("lower_population", "std_lower_population"),
    ("upper_sampling", "std_upper_sampling"),
    ("lower_sampling", "std_lower_sampling"),
];

pub fn render(out: &mut Out, m: &Moments, sigma: f64) {
    let get = |key| value(m, sigma, key).unwrap_or(f64::NAN);
    if m.count == 0 {
        NUMBERS.iter().for_each(|name| out.field_null(name));
        out.key("std_deviation_bounds");
        out.begin_object();
        BOUNDS.iter().for_each(|(name, _)| out.field_null(name));
        out.end_object();
        return;
    }
    NUMBERS.iter().for_each(|name| out.field_double(name, get(name)));
    out.key("std_deviation_bounds");
    out.begin_object();
    BOUNDS.iter().for_each(|(name, key)| out.field_double(name, get(key)));
    out.end_object();
    if m.format.is_raw() {
        return;
    }
    NUMBERS.iter().for_each(|name| out.field_string(&format!("{name}_as_string"), &m.format.double(get(name))));
    out.key("std_deviation_bounds_as_string");
    out.begin_object();
    BOUNDS.iter().for_each(|(name, key)| out.field_string(name, &m.format.double(get(key))));
    out.end_object();
}
