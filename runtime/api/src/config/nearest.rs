//! What a user may have meant by a name that is not known.

/// The candidate nearest to `name` by edit distance, unless all are far. Of class names only the part behind the last
/// dot counts when both have one and the packages differ.
///
/// ```
/// let known = ["tasks.max", "topics", "topics.regex"];
/// assert_eq!(lavka_api::config::nearest_name("task.max", known), Some("tasks.max"));
/// assert_eq!(lavka_api::config::nearest_name("zzz", known), None);
/// ```
#[must_use]
pub fn nearest_name<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let whole = name.to_ascii_lowercase();
    let simple = simple_name(&whole).to_owned();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_ascii_lowercase();
            let by_whole = (distance(&whole, &lower), whole.len());
            let by_simple = (distance(&simple, simple_name(&lower)), simple.len());
            let classes = candidate.bytes().any(|b| b.is_ascii_uppercase());
            let (distance, length) = if classes { by_whole.min(by_simple) } else { by_whole };
            (distance <= length / 4 + 1).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn simple_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Levenshtein distance in bytes; both sides are cut at 256.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (a, b) = (&a[..a.len().min(256)], &b[..b.len().min(256)]);
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
