//! Topic filters: what is one, and which task subscribes to which.

/// What begins a shared subscription.
const SHARE: &str = "$share/";

/// Checks a topic filter by MQTT 3.1.1 §4.7 and MQTT 5 §4.8.2 (shared subscriptions).
///
/// # Errors
/// What is wrong with it, for the end of an error text.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{filter:?} is not an MQTT topic filter: {why}"));
    if filter.len() > usize::from(u16::MAX) {
        return wrong("it is longer than 65535 bytes");
    }
    let levels = match filter.strip_prefix(SHARE) {
        None => filter,
        Some(shared) => match shared.split_once('/') {
            Some((group, rest)) if !group.is_empty() && !group.contains(['+', '#']) => rest,
            _ => return wrong("a shared subscription is $share/<group>/<filter>"),
        },
    };
    if levels.is_empty() {
        return wrong("it is empty");
    }
    if levels.contains('\0') {
        return wrong("it contains a null character");
    }
    let mut rest = levels.split('/').peekable();
    while let Some(level) = rest.next() {
        if level.contains('+') && level != "+" {
            return wrong("+ must stand alone between slashes");
        }
        if level.contains('#') && (level != "#" || rest.peek().is_some()) {
            return wrong("# must stand alone behind the last slash");
        }
    }
    Ok(())
}

/// Whether `filter` asks for messages on `topic` (MQTT 3.1.1 and 5, §4.7).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let filter =
        filter.strip_prefix(SHARE).and_then(|shared| shared.split_once('/')).map_or(filter, |(_, rest)| rest);
    // Wildcards at the beginning leave the server's own topics out.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            // Also for the level above: `a/#` asks for `a`.
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// The filters of each task: runs of neighbours, the first ones longer by one where it does not come out even, as
/// Connect groups partitions. With `share_every_task`, shared subscriptions go to every task instead.
pub(crate) fn assign(filters: &[String], max_tasks: u32, share_every_task: bool) -> Vec<Vec<String>> {
    let max_tasks = usize::try_from(max_tasks).unwrap_or(usize::MAX).max(1);
    let (shared, plain): (Vec<&String>, Vec<&String>) =
        filters.iter().partition(|filter| share_every_task && filter.starts_with(SHARE));
    let tasks = if shared.is_empty() { plain.len().min(max_tasks) } else { max_tasks };
    let mut rest = plain.into_iter();
    let count = rest.len();
    (0..tasks)
        .map(|task| {
            let share = count / tasks + usize::from(task < count % tasks);
            rest.by_ref().take(share).chain(shared.iter().copied()).cloned().collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_alone() {
        for good in
            ["a", "/", "a/b", "+", "#", "+/a/#", "a//b", "$SYS/#", "$share/g/a/+", "$share/g/#", "ä/€"]
        {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a+",
            "a/+b",
            "#/a",
            "a#",
            "a/#/b",
            "$share/g",
            "$share//a",
            "$share/+/a",
            "$share/g/",
            "a\0",
        ] {
            let error = check_filter(bad).expect_err(bad);
            assert!(error.contains("is not an MQTT topic filter"), "{error}");
        }
        assert!(check_filter(&"x".repeat(65_536)).is_err());
    }

    #[test]
    fn filters_match_by_level() {
        for (filter, topic) in [
            ("a/b", "a/b"),
            ("a/+", "a/b"),
            ("a/+", "a/"),
            ("+/b", "/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("#", "a/b"),
            ("$SYS/#", "$SYS/x"),
            ("$share/g/a/+", "a/b"),
            ("é/+", "é/x"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a/b", "a"),
            ("a", "a/b"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a", "é"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }

    fn split(filters: &[&str], tasks: u32, every: bool) -> Vec<String> {
        let filters: Vec<String> = filters.iter().map(|f| (*f).to_owned()).collect();
        assign(&filters, tasks, every).iter().map(|f| f.join(" ")).collect()
    }

    #[test]
    fn filters_are_split_over_tasks() {
        assert_eq!(split(&["a", "b", "c"], 1, false), ["a b c"]);
        assert_eq!(split(&["a", "b", "c", "d", "e"], 3, false), ["a b", "c d", "e"]);
        assert_eq!(split(&["a", "b"], 5, false), ["a", "b"]);
        assert_eq!(split(&["a"], 0, false), ["a"]);
        assert_eq!(split(&["$share/g/x", "a"], 4, false), ["$share/g/x", "a"]);
    }

    #[test]
    fn shared_subscriptions_may_go_to_every_task() {
        assert_eq!(split(&["$share/g/x"], 3, true), ["$share/g/x"; 3]);
        assert_eq!(split(&["a", "$share/g/x", "b"], 2, true), ["a $share/g/x", "b $share/g/x"]);
        assert_eq!(split(&["a"], 3, true), ["a"]);
    }
}
