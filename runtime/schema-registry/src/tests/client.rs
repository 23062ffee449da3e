//! Repetitions, failover, caches and references.

use std::time::Duration;

use lavka_api::ErrorClass;

use super::{avro, session};
use crate::mock::MockRegistry;
use crate::schema::{Reference, SchemaText, SchemaType};

#[tokio::test]
async fn what_passes_is_repeated_and_what_stays_is_not() {
    for (status, requests) in [(500, 3), (503, 3), (429, 3), (404, 1), (422, 1), (401, 1)] {
        let mock = MockRegistry::new();
        mock.put("s", &avro("\"int\""));
        mock.refuse(status, 1, "first");
        mock.refuse(status, 2, "second");
        let registry = session(&mock, &[("max.retries", "3")]).registry().clone();
        let answer = registry.by_id(1, None).await;
        assert_eq!((answer.is_ok(), mock.requests().len()), (requests == 3, requests), "{status}");
    }
    let mock = MockRegistry::new();
    for _ in 0..3 {
        mock.disconnect();
    }
    let registry = session(&mock, &[("max.retries", "2")]).registry().clone();
    let error = registry.latest("s").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    assert_eq!(
        error.message(),
        Some(
            "Error retrieving the latest version of subject s: the registry at http://registry did not answer: connection \
             refused"
        )
    );
    assert_eq!(mock.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn waits_are_as_long_as_said() {
    let mock = MockRegistry::new();
    for _ in 0..4 {
        mock.disconnect();
    }
    let registry = session(&mock, &[("retries.wait.ms", "1000")]).registry().clone();
    let began = tokio::time::Instant::now();
    assert!(registry.latest("s").await.is_err());
    let took = began.elapsed();
    assert!(took > Duration::ZERO && took <= Duration::from_millis(7003), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_believed_for_a_while() {
    let mock = MockRegistry::new();
    let registry = session(&mock, &[("missing.id.cache.ttl.sec", "30")]).registry().clone();
    for _ in 0..3 {
        assert!(registry.by_id(1, None).await.unwrap_err().to_string().contains("40403"));
    }
    assert_eq!(mock.requests().len(), 1);
    mock.put("s", &avro("\"int\""));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(registry.by_id(1, None).await.is_ok());
    assert!(registry.by_id(1, None).await.is_ok());
    assert_eq!(mock.requests().len(), 2);
    // By default nothing of it is kept.
    let forgetful = session(&MockRegistry::new(), &[]).registry().clone();
    assert!(forgetful.by_id(1, None).await.is_err() && forgetful.by_id(1, None).await.is_err());
}

fn referring(text: &str, to: &[&str]) -> SchemaText {
    let references: Vec<Reference> = to
        .iter()
        .map(|name| Reference { name: (*name).into(), subject: (*name).into(), version: 1 })
        .collect();
    SchemaText::with_references(SchemaType::Avro, text, references)
}

#[tokio::test]
async fn references_are_followed_to_the_end_each_once() {
    let mock = MockRegistry::new();
    mock.put("d", &avro("\"d\""));
    mock.put("c", &referring("\"c\"", &["d"]));
    mock.put("b", &referring("\"b\"", &["c", "d"]));
    let registry = session(&mock, &[]).registry().clone();
    let resolved = registry.resolve(&referring("\"a\"", &["b", "c"]), "").await.unwrap();
    let names: Vec<&str> = resolved.dependencies.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["d", "c", "b"]);
    assert_eq!(mock.requests().len(), 3);
    // One that refers to itself ends.
    mock.put("circle", &referring("\"circle\"", &["circle"]));
    let circle = registry.resolve(&referring("\"x\"", &["circle"]), "").await.unwrap();
    assert_eq!(circle.dependencies.len(), 1);
    let missing = registry.resolve(&referring("\"x\"", &["nowhere"]), "").await.unwrap_err();
    assert_eq!(missing.class(), ErrorClass::Data);
    assert!(missing.to_string().contains("version 1 of subject nowhere"), "{missing}");
}

#[tokio::test]
async fn contexts_of_subjects_hold_for_what_they_refer_to() {
    let mock = MockRegistry::new();
    mock.put(":.ctx:b", &avro("\"int\""));
    let registry = session(&mock, &[]).registry().clone();
    let resolved = registry.resolve(&referring("\"a\"", &["b"]), ":.ctx:t-value").await.unwrap();
    assert_eq!(resolved.dependencies.len(), 1);
    registry.by_id(1, Some(":.ctx:t-value")).await.unwrap();
    assert_eq!(
        mock.requests(),
        ["GET /subjects/%3A.ctx%3Ab/versions/1?deleted=true", "GET /schemas/ids/1?subject=%3A.ctx%3At-value"]
    );
}

#[tokio::test]
async fn normal_forms_are_asked_for() {
    let mock = MockRegistry::new();
    let registry = session(&mock, &[]).registry().clone();
    registry.register("s", &avro("\"int\""), true).await.unwrap();
    registry.look_up("s", &avro("\"int\""), true).await.unwrap();
    assert_eq!(
        mock.requests(),
        ["POST /subjects/s/versions?normalize=true", "POST /subjects/s?normalize=true"]
    );
}
