//! Keys that are accepted so that existing configurations go on working.

use lavka_api::config::{ClassName, key};

use super::checks::pairs;

const IGNORED: &str = "Ignored";

lavka_api::config! {
    /// Keys that are accepted so that existing configurations go on working.
    pub(crate) struct IgnoredKeys {
        pub(crate) internal_legacy_snapshot_max_threads: bool = key("internal.legacy.snapshot.max.threads").default(false).low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) internal_advanced_metrics_enable: bool = key("internal.advanced.metrics.enable").default(false).low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_enabled: bool = key("openlineage.integration.enabled").default(false).low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_config_file_path: String = key("openlineage.integration.config.file.path").default("./openlineage.yml").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_job_namespace: Option<String> = key("openlineage.integration.job.namespace").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_job_description: String = key("openlineage.integration.job.description").default("Debezium change data capture job").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_job_tags: Option<Vec<String>> = key("openlineage.integration.job.tags").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_job_owners: Option<Vec<String>> = key("openlineage.integration.job.owners").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) openlineage_integration_dataset_kafka_bootstrap_servers: Option<String> = key("openlineage.integration.dataset.kafka.bootstrap.servers").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) statistics_metrics_enabled: bool = key("statistics.metrics.enabled").default(true).low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) memory_management_schemas_class: ClassName = key("memory.management.schemas.class").default("io.debezium.relational.ConcurrentMapTableMappingStorage").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) memory_management_tables_class: ClassName = key("memory.management.tables.class").default("io.debezium.relational.ConcurrentMapTableMappingStorage").low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) custom_metric_tags: Option<Vec<String>> = key("custom.metric.tags").low().group(IGNORED)
            .check(pairs())
            .doc("Accepted so that existing configurations go on working; without effect."),
        pub(crate) internal_snapshot_scan_all_columns_force: bool = key("internal.snapshot.scan.all.columns.force").default(false).low().group(IGNORED)
            .doc("Accepted so that existing configurations go on working; without effect."),
    }
}
