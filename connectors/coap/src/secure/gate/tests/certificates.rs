//! Certificates of servers and devices: whose are accepted, and what is said of the others.

use lavka_testkit::{TempDir, temp_dir, write_file};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;

/// Certificates of one authority, in a folder.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn named(name: &str) -> Self {
        let (folder, key) = (temp_dir(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let certificate = write(&folder, "ca", &pem);
        Self { folder, issuer: Issuer::new(params, key), certificate }
    }

    /// Files with a certificate for `name`, valid for these years, that trust this authority.
    fn files(&self, name: &str, years: (i32, i32)) -> Files {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Files {
            certificate: write(&self.folder, "cert", &pem),
            key: write(&self.folder, "key", &key.serialize_pem()),
            trusted: self.certificate.clone(),
            ..Files::default()
        }
    }

    fn server(&self, name: &str, years: (i32, i32)) -> Gate {
        let credentials = Credentials::of_server(&self.files(name, years)).unwrap();
        Gate::of_server(credentials, LIMITS, [9; 32])
    }

    fn device(&self, server: &str, name: &str, years: (i32, i32)) -> Device {
        Device::to(server, 1, Credentials::of_client(&self.files(name, years)).unwrap())
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    write_file(folder.path(), name, text).to_str().unwrap().to_owned()
}

const NOW: (i32, i32) = (2020, 2120);
const PAST: (i32, i32) = (2001, 2002);
const FUTURE: (i32, i32) = (2119, 2120);

/// Who refuses the other, and why; the other is told by an alert.
fn refusal(mut device: Device, mut server: Gate) -> (SocketAddr, String) {
    assert_eq!(device.say(&mut server, b"x"), []);
    assert!(server.open.is_empty());
    let ended = device.ended.into_iter().map(|(who, why)| (who, why.unwrap()));
    let (told, refused): (Vec<_>, Vec<_>) = ended.partition(|(_, why)| why.starts_with("the peer refused"));
    assert_eq!((told.len(), refused.len()), (1, 1), "{told:?} {refused:?}");
    refused.into_iter().next().unwrap()
}

#[test]
fn certificates_that_hold() {
    let authority = Authority::named("ours");
    let mut server = authority.server("server", NOW);
    let mut device = authority.device("server", "d1", NOW);
    let heard = device.say(&mut server, b"hello");
    assert_eq!(server.identity(&heard[0].0).as_deref(), Some("CN=d1"));
    // An IP address is a name too.
    let mut server = authority.server("10.0.0.9", NOW);
    assert_eq!(authority.device("10.0.0.9", "d1", NOW).say(&mut server, b"x").len(), 1);
}

#[test]
fn a_device_whose_certificate_does_not_hold_is_not_let_in() {
    let authority = Authority::named("ours");
    for (years, part) in [(PAST, "expired"), (FUTURE, "not valid yet")] {
        let device = authority.device("server", "d1", years);
        let address = device.address;
        let (who, why) = refusal(device, authority.server("server", NOW));
        assert!(who == address && why.contains(part), "{who}: {why}");
    }
    // It trusts the server, which does not trust it.
    let stranger = Authority::named("other");
    let files = Files { trusted: authority.certificate.clone(), ..stranger.files("d1", NOW) };
    let device = Device::to("server", 1, Credentials::of_client(&files).unwrap());
    let (_, why) = refusal(device, authority.server("server", NOW));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[test]
fn a_server_whose_certificate_does_not_hold_is_not_spoken_to() {
    let authority = Authority::named("ours");
    let server: SocketAddr = SERVER.parse().unwrap();
    for (name, years, part) in [
        ("server", PAST, "expired"),
        ("server", FUTURE, "not valid yet"),
        ("other.example", NOW, "not valid for name"),
    ] {
        let (who, why) = refusal(authority.device("server", "d1", NOW), authority.server(name, years));
        assert!(who == server && why.contains(part), "{who}: {why}");
    }
    let (_, why) =
        refusal(Authority::named("other").device("server", "d1", NOW), authority.server("server", NOW));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[test]
fn a_key_and_a_certificate_have_nothing_in_common() {
    let authority = Authority::named("ours");
    let (_, why) = refusal(Device::d1(1), authority.server("server", NOW));
    assert!(why.contains("no cipher suite in common"), "{why}");
}
