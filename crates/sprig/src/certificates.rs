//! Certificates. They are made by hand: the crates that make them bring a TLS stack or cannot take a seed.

use std::any::Any as StdAny;
use std::net::IpAddr;
use std::rc::Rc;

use gotemplate::Ty::{self, Int, List, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, Object, Value};
use sha2::Digest as _;

use crate::args::{Args, Outcome};
use crate::der::{bits, elements, integer, octets, pem, read, sequence, tagged, unpem};
use crate::encode::from_base64;
use crate::keys::{Key, generate};
use crate::random;
use crate::state::{now, state};
use crate::time::{self, Time};

const I: Ty = Int(IntKind::Int);
const CERTIFICATE: Ty = Ty::Named("sprig.certificate");

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("genPrivateKey", &[Text], |e, a| {
        generate(a.bytes(0), &mut state(e)?.random).map(Into::into).map_err(Fault::Text)
    }),
    Function::new("buildCustomCert", &[Text, Text], |_, a| build(a)),
    Function::new("genCA", &[Text, I], |e, a| {
        let key = fresh(e)?;
        authority(e, a, &key)
    }),
    Function::new("genCAWithKey", &[Text, I, Text], |e, a| authority(e, a, &given(a, 2)?)),
    Function::new("genSelfSignedCert", &[Text, List, List, I], |e, a| {
        let key = fresh(e)?;
        self_signed(e, a, &key)
    }),
    Function::new("genSelfSignedCertWithKey", &[Text, List, List, I, Text], |e, a| {
        self_signed(e, a, &given(a, 4)?)
    }),
    Function::new("genSignedCert", &[Text, List, List, I, CERTIFICATE], |e, a| {
        let key = fresh(e)?;
        signed(e, a, &key)
    }),
    Function::new("genSignedCertWithKey", &[Text, List, List, I, CERTIFICATE, Text], |e, a| {
        signed(e, a, &given(a, 5)?)
    }),
];

struct Certificate {
    cert: Value,
    key: Value,
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        "sprig.certificate"
    }
    fn kind(&self) -> &'static str {
        "struct"
    }
    fn as_any(&self) -> &dyn StdAny {
        self
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Cert", self.cert.clone()), ("Key", self.key.clone())]
    }
}

fn certificate(cert: impl Into<Value>, key: impl Into<Value>) -> Value {
    Value::Object(Rc::new(Certificate { cert: cert.into(), key: key.into() }))
}

fn fresh(exec: &mut Exec<'_>) -> Result<Key, Fault> {
    Key::rsa(&mut state(exec)?.random, 2048)
        .map_err(|error| format!("error generating rsa key: {error}").into())
}

fn given(a: &[Value], at: usize) -> Result<Key, Fault> {
    Key::from_pem(&a.str(at).text()).map_err(|error| format!("parsing private key: {error}").into())
}

fn build(a: &[Value]) -> Outcome {
    let Ok(cert) = from_base64(a.bytes(0)) else { return Err("unable to decode base64 certificate".into()) };
    let Ok(key) = from_base64(a.bytes(1)) else { return Err("unable to decode base64 private key".into()) };
    parse(&String::from_utf8_lossy(&cert))?;
    Key::from_pem(&String::from_utf8_lossy(&key))
        .map_err(|error| format!("error parsing private key: {error}"))?;
    Ok(certificate(cert, key))
}

/// The name and the key identifier of who signs.
struct Signer {
    subject: Vec<u8>,
    key_id: Option<Vec<u8>>,
}

fn parse(text: &str) -> Result<Signer, Fault> {
    const KEY_ID: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0e];
    let Some((_, der)) = unpem(text) else { return Err("unable to decode certificate".into()) };
    let parsed = || -> Option<Signer> {
        let (outer, _) = read(&der)?;
        let (body, _) = read(outer.content)?;
        let mut parts = elements(body.content)?;
        if parts.first()?.tag == 0xa0 {
            parts.remove(0);
        }
        // Serial number, algorithm, issuer, validity, subject.
        let subject = parts.get(4)?.whole.to_vec();
        let mut key_id = None;
        if let Some(extensions) = parts.iter().find(|part| part.tag == 0xa3) {
            let (list, _) = read(extensions.content)?;
            for extension in elements(list.content)? {
                if extension.content.starts_with(KEY_ID) {
                    let value = elements(extension.content)?.pop()?;
                    key_id = Some(read(value.content)?.0.content.to_vec());
                }
            }
        }
        Some(Signer { subject, key_id })
    };
    parsed().ok_or_else(|| "error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into())
}

/// What is certified.
struct Request<'k> {
    subject: Vec<u8>,
    names: Vec<u8>,
    days: i64,
    authority: bool,
    key: &'k Key,
}

fn request<'k>(a: &[Value], lists: bool, authority: bool, key: &'k Key) -> Result<Request<'k>, Fault> {
    const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
    let name = a.bytes(0);
    let printable = name.iter().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(b));
    let text = tagged(if printable { 0x13 } else { 0x0c }, name);
    let subject = if name.is_empty() {
        sequence(&[])
    } else {
        sequence(&[&tagged(0x31, &sequence(&[COMMON_NAME, &text]))])
    };
    let (mut names, mut alternatives) = (Vec::new(), Vec::new());
    let mut addresses = Vec::new();
    if lists {
        let items = |at: usize| a.any(at).elements().map(|e| e.to_vec()).unwrap_or_default();
        for ip in items(1) {
            let shown = gotemplate::fmt::sprint(&ip);
            if ip.as_str().is_none() {
                return Err(format!("error parsing ip: {shown} is not a string").into());
            }
            match shown.parse::<IpAddr>() {
                Ok(IpAddr::V4(ip)) => addresses.extend(tagged(0x87, &ip.octets())),
                Ok(IpAddr::V6(ip)) => addresses.extend(tagged(0x87, &ip.octets())),
                Err(_) => return Err(format!("error parsing ip: {shown}").into()),
            }
        }
        for dns in items(2) {
            let Some(dns) = dns.as_str() else {
                let shown = gotemplate::fmt::sprint(&dns);
                return Err(format!("error processing alternate dns name: {shown} is not a string").into());
            };
            alternatives.push(dns.clone());
        }
    }
    if std::str::from_utf8(name).is_err() {
        return Err("error creating certificate: asn1: string not valid UTF-8".into());
    }
    for dns in &alternatives {
        if !dns.is_ascii() {
            let shown = gotemplate::quote(dns);
            return Err(format!(
                "error creating certificate: x509: {shown} cannot be encoded as an IA5String"
            )
            .into());
        }
        names.extend(tagged(0x82, dns));
    }
    names.extend(addresses);
    let days = a.int(if lists { 3 } else { 1 });
    Ok(Request { subject, names, days, authority, key })
}

fn moment(time: &Time) -> Vec<u8> {
    let year = time.civil().year;
    if (1950..2050).contains(&year) {
        tagged(0x17, time::format(time, "060102150405Z").as_bytes())
    } else {
        tagged(0x18, time::format(time, "20060102150405Z").as_bytes())
    }
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[id, flag, &octets(value)])
}

fn extensions(request: &Request<'_>, public: &[u8], signer: Option<&Signer>) -> Vec<u8> {
    let id = |last: u8| vec![0x06, 0x03, 0x55, 0x1d, last];
    const PURPOSES: &[u8] = &[
        0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01,
        0x05, 0x05, 0x07, 0x03, 0x02,
    ];
    // Digital signature, key encipherment, and signing of certificates.
    let usage: &[u8] = if request.authority { &[3, 2, 2, 0xa4] } else { &[3, 2, 5, 0xa0] };
    let mut list = extension(&id(0x0f), true, usage);
    list.extend(extension(&[0x06, 0x03, 0x55, 0x1d, 0x25], false, PURPOSES));
    let basic: &[u8] = if request.authority { &[0x30, 3, 1, 1, 0xff] } else { &[0x30, 0] };
    list.extend(extension(&id(0x13), true, basic));
    if request.authority {
        let digest = sha2::Sha256::digest(public);
        let key_id = digest.get(..20).unwrap_or_default();
        list.extend(extension(&id(0x0e), false, &octets(key_id)));
    }
    if let Some(key_id) = signer.filter(|s| s.subject != request.subject).and_then(|s| s.key_id.as_ref()) {
        list.extend(extension(&id(0x23), false, &sequence(&[&tagged(0x80, key_id)])));
    }
    if !request.names.is_empty() {
        let critical = request.subject == sequence(&[]);
        list.extend(extension(&id(0x11), critical, &tagged(0x30, &request.names)));
    }
    tagged(0xa3, &tagged(0x30, &list))
}

fn issue(exec: &mut Exec<'_>, request: &Request<'_>, signer: Option<(&Signer, &Key)>) -> Outcome {
    let serial = random::bytes(exec, 16)?;
    let start = now(exec);
    // A duration of nanoseconds, which overflows as Go's does.
    let end = start.plus(request.days.wrapping_mul(86_400_000_000_000));
    let key = signer.map_or(request.key, |(_, key)| key);
    let issuer = signer.map_or(&request.subject, |(signer, _)| &signer.subject);
    let (public, info) = request.key.public()?;
    let algorithm = key.algorithm();
    let body = sequence(&[
        &tagged(0xa0, &integer(&[2])),
        &integer(&serial),
        &algorithm,
        issuer,
        &sequence(&[&moment(&start), &moment(&end)]),
        &request.subject,
        &info,
        &extensions(request, &public, signer.map(|(signer, _)| signer)),
    ]);
    let signature = bits(&key.sign(&body));
    let der = sequence(&[&body, &algorithm, &signature]);
    Ok(certificate(pem("CERTIFICATE", &der), request.key.to_pem()?))
}

fn authority(exec: &mut Exec<'_>, a: &[Value], key: &Key) -> Outcome {
    let request = request(a, false, true, key)?;
    issue(exec, &request, None)
}

fn self_signed(exec: &mut Exec<'_>, a: &[Value], key: &Key) -> Outcome {
    let request = request(a, true, false, key)?;
    issue(exec, &request, None)
}

fn signed(exec: &mut Exec<'_>, a: &[Value], key: &Key) -> Outcome {
    let field = |name: &[u8]| match a.any(4) {
        Value::Object(object) => {
            object.field(name).map(|value| gotemplate::fmt::sprint(&value)).unwrap_or_default()
        }
        _ => String::new(),
    };
    let signer = parse(&field(b"Cert"))?;
    let signing =
        Key::from_pem(&field(b"Key")).map_err(|error| format!("error parsing private key: {error}"))?;
    let request = request(a, true, false, key)?;
    issue(exec, &request, Some((&signer, &signing)))
}
