//! The slot, the publication, and what the server is told of progress.

use lavka_api::config::key;

use super::checks::{mode, non_negative, non_negative_long, positive, positive_long, slot_name};
use super::modes::{AutocreateMode, FlushTimeoutAction, LsnFlushMode, MismatchStrategy, PluginName};

const REPLICATION: &str = "Replication";

lavka_api::config! {
    /// The slot, the publication, and what the server is told of progress.
    pub(crate) struct ReplicationKeys {
        pub(crate) plugin_name: PluginName = key("plugin.name").default("decoderbufs").high().group(REPLICATION)
            .recommend(PluginName::NAMES).check(mode("plugin.name", PluginName::NAMES))
            .doc("The output plug-in that an existing configuration names. Lavka always reads pgoutput, which \
                  every server has; decoderbufs is accepted with a warning."),
        pub(crate) slot_name: String = key("slot.name").default("debezium").high().group(REPLICATION)
            .check(slot_name())
            .doc("Logical slot; [a-z0-9_]{1,63}; created if absent."),
        pub(crate) publication_name: String = key("publication.name").default("dbz_publication").high().group(REPLICATION)
            .doc("Publication read by pgoutput; created if absent (see autocreate)."),
        pub(crate) publication_autocreate_mode: AutocreateMode = key("publication.autocreate.mode").default("all_tables").group(REPLICATION)
            .recommend(AutocreateMode::NAMES).check(mode("publication.autocreate.mode", AutocreateMode::NAMES))
            .doc("What to do about the publication. all_tables: create it for all tables where it is missing. \
                  filtered: create it for the captured tables, and change it to them at each start where it \
                  differs; one for all tables is refused. no_tables: create it empty. disabled: it has to exist."),
        pub(crate) replica_identity_autoset_values: Option<String> = key("replica.identity.autoset.values").group(REPLICATION)
            .doc("Replica identities to set at the start: schema.table:FULL, DEFAULT, NOTHING or INDEX name, \
                  separated by commas; schema.table is a regular expression. What cannot be set is logged."),
        pub(crate) slot_drop_on_stop: bool = key("slot.drop.on.stop").default(false).group(REPLICATION)
            .doc("Drop the slot when the task stops in an orderly way. For tests: what happens while the task is \
                  away is lost."),
        pub(crate) slot_failover: bool = key("slot.failover").default(false).group(REPLICATION)
            .doc("Create the slot so that standbys keep it too (PostgreSQL 17 and later); without effect on older \
                  servers."),
        pub(crate) slot_stream_params: Option<String> = key("slot.stream.params").group(REPLICATION)
            .doc("Options of the output plug-in (name=value;name=value). origin=none passes over transactions that were \
                  replicated from another server, with servers of any version. origin=any, binary=false, \
                  streaming=off and two_phase=off are what is done anyway; the connector sets the others itself, and \
                  refuses them."),
        pub(crate) slot_max_retries: i32 = key("slot.max.retries").default(6).group(REPLICATION)
            .check(non_negative())
            .doc("Attempts to get a replication connection/slot."),
        pub(crate) slot_retry_delay_ms: i64 = key("slot.retry.delay.ms").default(10000).group(REPLICATION)
            .check(non_negative_long())
            .doc("Pause between these."),
        pub(crate) status_update_interval_ms: i32 = key("status.update.interval.ms").default(10000).group(REPLICATION)
            .check(positive())
            .doc("How often the server is told the position, in milliseconds. Must be well below the server's \
                  wal_sender_timeout (60 seconds by default)."),
        pub(crate) lsn_flush_timeout_ms: i64 = key("lsn.flush.timeout.ms").default(30000).group(REPLICATION)
            .check(non_negative_long())
            .doc("Accepted so that existing configurations go on working: positions are confirmed without waiting \
                  for an answer."),
        pub(crate) lsn_flush_timeout_action: FlushTimeoutAction = key("lsn.flush.timeout.action").default("fail").group(REPLICATION)
            .recommend(FlushTimeoutAction::NAMES).check(mode("lsn.flush.timeout.action", FlushTimeoutAction::NAMES))
            .doc("As lsn.flush.timeout.ms."),
        pub(crate) xmin_fetch_interval_ms: i64 = key("xmin.fetch.interval.ms").default(0).group(REPLICATION)
            .check(non_negative_long())
            .doc("How often the slot's catalog_xmin is read, in milliseconds, for source.xmin and the offset; 0: \
                  never."),
        pub(crate) lsn_flush_mode: Option<LsnFlushMode> = key("lsn.flush.mode").group(REPLICATION)
            .recommend(LsnFlushMode::NAMES).check(mode("lsn.flush.mode", LsnFlushMode::NAMES))
            .doc("What the server is told. connector (the default): a position is confirmed once Kafka Connect \
                  has committed the offsets up to it, and while nothing is waiting also the position of the \
                  server's keepalives, so that an idle or filtered database does not hold back WAL. \
                  connector_and_driver: the same. manual: nothing is confirmed; the slot has to be advanced by \
                  somebody else."),
        pub(crate) flush_lsn_source: bool = key("flush.lsn.source").default(true).group(REPLICATION)
            .doc("Older form of lsn.flush.mode: true is connector, false is manual. Read where lsn.flush.mode is \
                  not set."),
        pub(crate) internal_log_position_check_enable: bool = key("internal.log.position.check.enable").default(true).low().group(REPLICATION)
            .doc("Check at the start that the slot still has what follows the stored offset."),
        pub(crate) publish_via_partition_root: bool = key("publish.via.partition.root").default(false).group(REPLICATION)
            .doc("Adds WITH (publish_via_partition_root=true) when it creates the publication: partition changes \
                  come out under the parent table/topic."),
        pub(crate) offset_mismatch_strategy: MismatchStrategy = key("offset.mismatch.strategy").default("no_validation").group(REPLICATION)
            .recommend(MismatchStrategy::NAMES).check(mode("offset.mismatch.strategy", MismatchStrategy::NAMES))
            .doc("What to do where the slot is ahead of everything that the connector has confirmed: it was created \
                  again or advanced by somebody else, and changes may be lost. no_validation and trust_offset: \
                  fail; but with no_validation an offset that Debezium wrote, which does not tell how far the slot \
                  was confirmed, goes on at the slot's position. trust_slot, trust_greater_lsn: go on at the \
                  slot's position."),
        pub(crate) internal_slot_seek_to_known_offset_on_start: bool = key("internal.slot.seek.to.known.offset.on.start").default(false).low().group(REPLICATION)
            .doc("Older form of offset.mismatch.strategy: true is trust_offset."),
        pub(crate) internal_create_slot_command_timeout: i64 = key("internal.create.slot.command.timeout").default(90).low().group(REPLICATION)
            .check(positive_long())
            .doc("Seconds that the creation of the slot may wait for running transactions to end."),
    }
}
