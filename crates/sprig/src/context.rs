//! The objects of a chart's context that have methods: `.Values`, `.Files`, `.Capabilities`.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use gotemplate::Ty::Str as Text;
use gotemplate::{Dict, DictType, ElementType, Fault, List, ListType, Method, Named, Object, Str, Value};

use crate::args::{Args, Outcome, strval};
use crate::dicts::deep_copy;
use crate::{encode, glob, to_yaml};

/// Type of `.Values`, of `.Template` and of a chart's context.
pub static VALUES: Named = Named {
    name: "common.Values",
    elements: ElementType::Any,
    methods: &[
        Method::new("AsMap", &[], |v, _| Ok(as_map(v))),
        Method::new("YAML", &[], |v, _| Ok(format!("{}\n", to_yaml(v)?).into())),
        Method::new("Table", &[Text], table),
        Method::new("PathValue", &[Text], path_value),
    ],
};

/// A map as `common.Values`.
#[must_use]
pub fn values(map: BTreeMap<Str, Value>) -> Value {
    Value::typed_dict(DictType::Named(&VALUES), map)
}

fn as_map(value: &Value) -> Value {
    value.converted(DictType::Any)
}

/// Whether a value is a `map[string]interface {}`.
fn is_plain_map(value: &Value) -> bool {
    matches!(value, Value::Dict(dict) if matches!(dict.ty, DictType::Any | DictType::Nil))
}

/// Whether a value is a `common.Values`.
fn is_values(value: &Value) -> bool {
    matches!(value, Value::Dict(dict) if matches!(dict.ty, DictType::Named(named) if named.name == VALUES.name))
}

/// The table at the end of a path; the error is the key of what is none.
fn table_at<'p>(value: &Value, path: impl Iterator<Item = &'p [u8]>) -> Result<Value, &'p [u8]> {
    let mut at = value.clone();
    for key in path {
        match at.as_dict().and_then(|dict| dict.get(key)) {
            Some(next) if is_plain_map(&next) || is_values(&next) => at = next,
            _ => return Err(key),
        }
    }
    Ok(at)
}

fn table(value: &Value, a: &[Value]) -> Outcome {
    match table_at(value, a.bytes(0).split(|b| *b == b'.')) {
        Ok(table) => Ok(table.converted(DictType::Named(&VALUES))),
        Err(key) => Err(Fault::Text(format!("{} is not a table", gotemplate::quote(key)))),
    }
}

fn path_value(value: &Value, a: &[Value]) -> Outcome {
    if a.bytes(0).is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let mut path: Vec<&[u8]> = a.bytes(0).split(|b| *b == b'.').collect();
    let last = path.pop().unwrap_or_default();
    let table = table_at(value, path.into_iter()).ok();
    let found = table.as_ref().and_then(Value::as_dict).and_then(|table| table.get(last));
    // The error names the last part only.
    found
        .filter(|found| !is_plain_map(found))
        .ok_or_else(|| format!("{} is not a value", gotemplate::quote(last)).into())
}

/// `.Files`
struct Files(Rc<Dict>);

static FILES: Named = Named { name: "engine.files", elements: ElementType::Bytes, methods: &[] };

/// The files of a chart by path.
#[must_use]
pub fn files(files: impl IntoIterator<Item = (Str, Str)>) -> Value {
    files_of(files.into_iter().map(|(path, bytes)| (path, Value::Bytes(bytes))).collect())
}

/// Files that may have a nil `[]byte` among them, which `mergeOverwrite` can put there.
fn files_of(map: BTreeMap<Str, Value>) -> Value {
    let dict = Dict { ty: DictType::Named(&FILES), map: Rc::new(std::cell::RefCell::new(map)) };
    Value::Object(Rc::new(Files(Rc::new(dict))))
}

/// The bytes of a file; those of none are empty, but not nil.
fn file(value: &Value, path: &[u8]) -> Value {
    let found = value.as_dict().and_then(|dict| dict.get(path));
    found.unwrap_or_else(|| Value::Bytes(Str::default()))
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

fn by_base(value: &Value, show: fn(&Value) -> Value) -> Outcome {
    let mut map = BTreeMap::new();
    for (path, content) in value.as_dict().map(|dict| dict.entries()).unwrap_or_default() {
        map.insert(Str::from(base(&path)), show(&content));
    }
    if map.is_empty() && value.as_dict().is_none() {
        return Ok("".into());
    }
    Ok(to_yaml(&Value::dict(map))?.into())
}

impl Object for Files {
    fn type_name(&self) -> &str {
        "engine.files"
    }
    fn kind(&self) -> &'static str {
        "map"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn entries(&self) -> Option<&Rc<Dict>> {
        Some(&self.0)
    }
    fn encoded(&self) -> Value {
        Value::dict(self.0.map.borrow().clone())
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] = &[
            Method::new("Get", &[Text], |v, a| Ok(Value::Str(strval(&file(v, a.bytes(0)))))),
            Method::new("GetBytes", &[Text], |v, a| Ok(file(v, a.bytes(0)))),
            Method::new("Glob", &[Text], |v, a| {
                let pattern = glob::compile(&a.str(0).text());
                let all = v.as_dict().map(|dict| dict.entries()).unwrap_or_default();
                let kept =
                    all.into_iter().filter(|(path, _)| pattern.as_ref().is_none_or(|p| p.is_match(path)));
                Ok(files_of(kept.collect()))
            }),
            Method::new("AsConfig", &[], |v, _| by_base(v, |bytes| Value::Str(strval(bytes)))),
            Method::new("AsSecrets", &[], |v, _| by_base(v, |bytes| encode::base64(&strval(bytes)).into())),
            Method::new("Lines", &[Text], |v, a| {
                let text = strval(&file(v, a.bytes(0)));
                if text.is_empty() {
                    return Ok(Value::strings(Vec::<Str>::new()));
                }
                let text = text.strip_suffix(b"\n").unwrap_or(&text);
                Ok(Value::strings(text.split(|b| *b == b'\n')))
            }),
        ];
        METHODS
    }
}

/// A struct with exported fields.
struct Struct {
    ty: &'static str,
    fields: Vec<(&'static str, Value)>,
    json: fn(&'static str) -> Json,
    /// What the `String()` of a pointer gives, where there is one.
    printed: Option<fn(&dyn Object) -> Value>,
    methods: &'static [Method],
}

impl Object for Struct {
    fn type_name(&self) -> &str {
        self.ty
    }
    fn kind(&self) -> &'static str {
        if self.ty.starts_with('*') { "ptr" } else { "struct" }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [Method] {
        self.methods
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }
    fn field(&self, name: &[u8]) -> Option<Value> {
        self.fields.iter().find(|(n, _)| n.as_bytes() == name).map(|(_, value)| value.clone())
    }
    fn passed(&self) -> Option<Value> {
        self.printed.as_ref()?;
        let fields = self.fields.clone();
        Some(Value::Object(Rc::new(Struct { fields, printed: None, methods: &[], ..*self })))
    }
    fn copied(&self) -> Option<Value> {
        let copied = |(name, value): &(&'static str, Value)| {
            let private = name.starts_with(char::is_lowercase);
            (*name, if private { "".into() } else { deep_copy(value) })
        };
        let fields = self.fields.iter().map(copied).collect();
        Some(Value::Object(Rc::new(Struct { fields, ..*self })))
    }
    fn encoded(&self) -> Value {
        Value::dict(self.encoded_members().map(|(name, value)| (name.into(), value)).collect())
    }
    fn members(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.encoded_members().collect())
    }
    fn printed(&self) -> Option<String> {
        Some(strval(&self.printed?(self)).text().into_owned())
    }
}

/// How JSON, and with it YAML, writes a field.
enum Json {
    /// Under a name.
    As(&'static str),
    /// Under a name, unless it is empty.
    Unless(&'static str),
    Never,
}

impl Struct {
    fn encoded_members(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.fields.iter().filter_map(|(name, value)| match (self.json)(name) {
            Json::As(name) => Some((name, value.clone())),
            Json::Unless(name) => value.truth().then(|| (name, value.clone())),
            Json::Never => None,
        })
    }
}

/// A struct, or a pointer to one, with fields and nothing else.
#[must_use]
pub fn structure(ty: &'static str, fields: Vec<(&'static str, Value)>) -> Value {
    Value::Object(Rc::new(Struct { ty, fields, json: Json::As, printed: None, methods: &[] }))
}

/// `.Capabilities.APIVersions`
struct VersionSet(Rc<List>);

impl Object for VersionSet {
    fn type_name(&self) -> &str {
        "common.VersionSet"
    }
    fn kind(&self) -> &'static str {
        "slice"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn items(&self) -> Option<&Rc<List>> {
        Some(&self.0)
    }
    fn with_items(&self, items: Vec<Value>) -> Value {
        Value::Object(Rc::new(VersionSet(Rc::new(List::new(self.0.ty, items)))))
    }
    fn encoded(&self) -> Value {
        Value::List(Rc::clone(&self.0))
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] = &[Method::new("Has", &[Text], |v, a| {
            let known = v.elements().map(|e| e.to_vec()).unwrap_or_default();
            Ok(known.iter().any(|known| known.as_str().is_some_and(|k| **k == *a.bytes(0))).into())
        })];
        METHODS
    }
}

/// What `.Capabilities` says.
pub struct Capabilities<'a> {
    /// `v1.31.2`; what a vendor adds behind the numbers does not print.
    pub kube_version: &'a str,
    /// The first number.
    pub major: &'a str,
    /// The second number, as the server says it.
    pub minor: &'a str,
    /// Groups with versions, and with kinds.
    pub api_versions: Vec<Str>,
    /// `v4.2.4`
    pub helm_version: &'a str,
    /// `go1.26.8`
    pub go_version: &'a str,
    /// `v1.36`
    pub client_version: &'a str,
}

impl Capabilities<'_> {
    /// The object.
    #[must_use]
    pub fn value(self) -> Value {
        const KUBE: &[Method] = &[
            Method::new("String", &[], |v, _| Ok(of(v, version_text))),
            Method::new("GitVersion", &[], |v, _| Ok(of(v, |v| v.field(b"Version").unwrap_or_default()))),
        ];
        let behind = self.kube_version.find(|c: char| c != 'v' && c != '.' && !c.is_ascii_digit());
        let numbers = behind.and_then(|end| self.kube_version.get(..end)).unwrap_or(self.kube_version);
        let kube = Struct {
            ty: "common.KubeVersion",
            fields: vec![
                ("Version", self.kube_version.into()),
                // A field of Go's struct that templates cannot read prints, too.
                ("normalizedVersion", numbers.into()),
                ("Major", self.major.into()),
                ("Minor", self.minor.into()),
            ],
            json: |name| if name == "normalizedVersion" { Json::Never } else { Json::As(name) },
            printed: Some(version_text),
            methods: KUBE,
        };
        let helm = Struct {
            ty: "version.BuildInfo",
            fields: vec![
                ("Version", self.helm_version.into()),
                ("GitCommit", "".into()),
                ("GitTreeState", "".into()),
                ("GoVersion", self.go_version.into()),
                ("KubeClientVersion", self.client_version.into()),
            ],
            json: |name| match name {
                "Version" => Json::Unless("version"),
                "GitCommit" => Json::Unless("git_commit"),
                "GitTreeState" => Json::Unless("git_tree_state"),
                "GoVersion" => Json::Unless("go_version"),
                _ => Json::As("kube_client_version"),
            },
            printed: None,
            methods: &[],
        };
        let versions = self.api_versions.into_iter().map(Value::Str).collect();
        let versions = VersionSet(Rc::new(List::new(ListType::Str, versions)));
        structure(
            "*common.Capabilities",
            vec![
                ("KubeVersion", Value::Object(Rc::new(kube))),
                ("APIVersions", Value::Object(Rc::new(versions))),
                ("HelmVersion", Value::Object(Rc::new(helm))),
            ],
        )
    }
}

/// The version of a cluster: that without what is behind its numbers, if it has one.
fn version_text(version: &dyn Object) -> Value {
    let field = |name| version.field(name).filter(Value::truth);
    field(b"normalizedVersion".as_slice()).or_else(|| field(b"Version")).unwrap_or_default()
}

fn of(value: &Value, f: fn(&dyn Object) -> Value) -> Value {
    match value {
        Value::Object(object) => f(&**object),
        _ => Value::Nil,
    }
}
