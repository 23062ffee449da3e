//! Statements that nobody waits for any more: a task that is stopped while its database hangs.

use std::time::Duration;

use lavka_api::plugin::SinkContext;
use lavka_testkit::eventually;

use crate::databases::Db;
use crate::harness::{Rig, key, name, record, value};

/// Ends a hanging test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a table whose rows take ten minutes each to insert.
fn make_slow(db: Db, table: &str) {
    let create = format!("CREATE TABLE {table} (id int PRIMARY KEY, name text, amount bigint)");
    db.sql(table, &create);
    let trigger = match db {
        Db::Postgres => format!(
            "CREATE FUNCTION {table}_wait() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$; \
             CREATE TRIGGER wait BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_wait()"
        ),
        _ => format!("CREATE TRIGGER {table}_wait BEFORE INSERT ON {table} FOR EACH ROW DO SLEEP(600)"),
    };
    db.sql(table, &trigger);
}

/// How many sessions are busy with inserting into the table.
fn busy(db: Db, table: &str) -> String {
    let sql = match db {
        Db::Postgres => format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() \
             AND query LIKE '%INSERT INTO%{table}%'"
        ),
        // What a trigger does is shown in place of the statement that set it off.
        _ => "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'".to_owned(),
    };
    db.sql("", &sql)
}

#[test]
fn a_statement_is_cancelled_when_its_task_is_given_up() {
    for db in [Db::Postgres, Db::Maria] {
        let table = name("slow");
        make_slow(db, &table);
        let mut rig = Rig::new(db, &table, &[("insert.mode", "upsert"), ("pk.mode", "record_key")]);
        let mut context = SinkContext::at(0);
        let batch = vec![record(&table, 0, key(1), value("one", 1))];
        rig.runtime.block_on(async {
            // It may write behind a call, and then waits in the next one.
            let put = async {
                rig.task.put(batch.into(), &mut context).await?;
                rig.task.put(Vec::new().into(), &mut context).await
            };
            let looked_at = table.clone();
            let hangs = tokio::task::spawn_blocking(move || {
                eventually("the statement to hang", PATIENCE, || (busy(db, &looked_at) == "1").then_some(()));
            });
            tokio::select! {
                outcome = put => panic!("{outcome:?}"),
                hangs = hangs => hangs.unwrap(),
            }
        });
        rig.stop();
        eventually("the statement to end", PATIENCE, || (busy(db, &table) == "0").then_some(()));
        assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "0", "{db:?}");
    }
}
