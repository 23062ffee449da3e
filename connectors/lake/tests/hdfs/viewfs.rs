//! Mount tables, which make directories of several clusters one.

use lavka_connector_lake::store::{HdfsSettings, HdfsStore, LakeStore as _};
use lavka_testkit::{TempDir, services, temp_dir, unique, write_file};

use crate::support::{Rig, assert_complete, runtime};
use crate::{config, store};

/// A folder for `hadoop.conf.dir`, with the mount table `site`.
fn mount_table(links: &[(&str, String)]) -> TempDir {
    let folder = temp_dir();
    let properties = links.iter().map(|(link, target)| {
        format!("<property><name>fs.viewfs.mounttable.site.{link}</name><value>{target}</value></property>")
    });
    let text = format!("<configuration>{}</configuration>", properties.collect::<String>());
    write_file(folder.path(), "core-site.xml", text);
    folder
}

#[test]
fn a_mount_table_leads_to_the_lake() {
    let Some(hdfs) = services().hdfs_for("a_mount_table_leads_to_the_lake") else { return };
    let (url, root) = (hdfs.url(), unique("mounted"));
    let folder = mount_table(&[
        ("link./data", format!("{url}/{root}/inside")),
        ("link./data/elsewhere", format!("{url}/{root}/elsewhere")),
        ("linkFallback", format!("{url}/{root}")),
    ]);
    runtime().block_on(async {
        for (mounted, real) in
            [("data/lake", "inside/lake"), ("data/elsewhere", "elsewhere"), ("rest", "rest")]
        {
            let mut config = config("viewfs://site", mounted);
            config.set("hadoop.conf.dir", folder.path().display().to_string());
            let mut rig = Rig::open(&config).await.unwrap();
            rig.put(50).await.unwrap();
            rig.stop().await;
            let mut rig = Rig::open(&config).await.unwrap();
            assert_eq!(rig.position, 40);
            rig.put(20).await.unwrap();
            rig.stop().await;
            assert_complete(&store(url, &format!("{root}/{real}")), 60).await;
        }
    });
}

#[test]
fn a_mount_table_that_leads_nowhere_is_told() {
    // Nothing is connected to.
    let somewhere = || "hdfs://127.0.0.1:1/x".to_owned();
    for (links, told) in [
        (vec![("link./data", somewhere())], "fallback"),
        (vec![("link./data", "s3a://bucket/x".to_owned()), ("linkFallback", somewhere())], "hdfs"),
    ] {
        let folder = mount_table(&links);
        let store = HdfsStore::new(HdfsSettings {
            cluster: "viewfs://site".to_owned(),
            root: "/data".to_owned(),
            key: "store.url",
            conf_dir: Some(folder.path().display().to_string()),
            ..HdfsSettings::default()
        });
        let error = runtime().block_on(store.prepare()).unwrap_err();
        let text = error.to_string();
        assert!(!error.is_retriable() && text.contains(told) && text.contains("hadoop.conf.dir"), "{text}");
    }
}
