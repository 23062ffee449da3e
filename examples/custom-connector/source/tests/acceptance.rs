//! The source keeps what the runtime counts on.

use lavka_testkit::acceptance;

#[test]
fn trips() {
    let plugin = trip_source::plugins().remove(0);
    acceptance::source(plugin)
        .config([
            ("topic", "trips"),
            ("vehicles", "bus-1, bus-2, tram-7"),
            ("steps", "5"),
            ("batch.size", "2"),
        ])
        .records(3 * 5)
        .check()
        .assert_clean();
}
