//! The committed reference pages are those that the declarations make.

use std::path::Path;

use lavka::reference;

#[tokio::test]
async fn the_committed_pages_are_not_stale() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let pages = reference::pages().await.unwrap();
    let stale = reference::stale(&root.join("examples/reference"), &pages).unwrap();
    assert!(
        stale.is_empty(),
        "these pages of examples/reference are not what the code says: {stale:?}\n\
         write them anew, in the root of the project, and commit them:\n\n    \
         cargo run --package lavka -- docs\n"
    );
}

#[tokio::test]
async fn links_between_pages_lead_somewhere() {
    let pages = reference::pages().await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("examples/reference");
    for page in &pages {
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = Path::new(&page.path).parent().unwrap().join(file);
            let mut normal: Vec<&str> = Vec::new();
            for part in path.to_str().unwrap().split('/').filter(|part| !part.is_empty()) {
                if part == ".." && normal.last().is_some_and(|last| *last != "..") {
                    normal.pop();
                } else {
                    normal.push(part);
                }
            }
            let path = normal.join("/");
            let there = pages.iter().find(|other| other.path == path);
            assert!(there.is_some() || root.join(&path).exists(), "{}: {target}", page.path);
            let heading = format!("\n## {}\n", anchor.replace('-', " "));
            assert!(
                anchor.is_empty() || there.is_some_and(|page| page.text.to_lowercase().contains(&heading)),
                "{}: {target}",
                page.path
            );
        }
    }
}

#[test]
fn old_pages_go_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let page = |path: &str| reference::Page { path: path.into(), text: "x".into() };
    reference::write(folder.path(), &[page("README.md"), page("sinks/a.md"), page("sinks/b.md")]).unwrap();
    std::fs::write(folder.path().join("sinks/notes.txt"), "mine").unwrap();
    let now = [page("README.md"), page("sinks/b.md")];
    assert_eq!(reference::stale(folder.path(), &now).unwrap(), ["sinks/a.md"]);
    reference::write(folder.path(), &now).unwrap();
    assert!(reference::stale(folder.path(), &now).unwrap().is_empty());
    assert!(folder.path().join("sinks/notes.txt").exists() && !folder.path().join("sinks/a.md").exists());
}
