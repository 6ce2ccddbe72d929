//! Adds globals of the host's to a module, and to each of its functions the code of [`super::checks`].
//!
//! The globals stand behind the module's own, so its code cannot name them. Those the host reads and writes are found
//! by private export names, which a module must not use itself.

use super::checks::{Checks, Scratch};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use wasmer::sys::wasmparser::{BlockType, Operator, ValType};
use wasmer::sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware};
use wasmer::{ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Type};

/// Part of the fingerprint: raised with every change of the code that is added.
pub(super) const VERSION: u32 = 1;

const PREFIX: &str = "\u{1}forgeone.";
/// Private export names. The i32 that the deadline thread sets.
pub(super) const INTERRUPT: &str = "\u{1}forgeone.interrupt";
/// The i32 that says why added code trapped: a number of [`super::checks`].
pub(super) const REASON: &str = "\u{1}forgeone.reason";
/// The i32 of elements by which the instance's tables may still grow, together.
pub(super) const ROOM: &str = "\u{1}forgeone.room";
/// The i64 of fuel that is left, in metered modules.
pub(super) const FUEL: &str = "\u{1}forgeone.fuel";
/// The module's start function, which the host calls itself once the deadline can reach the instance.
pub(super) const START: &str = "\u{1}forgeone.start";

/// What the code of each function needs to know of its module.
#[derive(Debug)]
pub(super) struct Module {
    /// The indices of the added globals.
    pub(super) interrupt: u32,
    pub(super) reason: u32,
    pub(super) room: u32,
    pub(super) fuel: Option<u32>,
    pub(super) scratch: Scratch,
    /// For each passive segment the global that holds its length, which dropping it makes 0.
    pub(super) data: BTreeMap<u32, u32>,
    pub(super) elements: BTreeMap<u32, u32>,
    /// Which tables hold external references; the others hold functions.
    pub(super) external: Vec<bool>,
    pub(super) imported_functions: u32,
    /// For each local function the block that can stand around its body; `None` when it has several results.
    bodies: Vec<Option<BlockType>>,
}

impl Module {
    /// Adds the globals.
    fn add_to(info: &mut ModuleInfo, fuel: bool) -> Self {
        let word = |info: &mut ModuleInfo| add(info, Type::I32, GlobalInit::I32Const(0));
        let reference = |info: &mut ModuleInfo, ty| add(info, ty, GlobalInit::RefNullConst);
        let data: Vec<_> = info.passive_data.iter().map(|(i, bytes)| (i.as_u32(), bytes.len())).collect();
        let elements: Vec<_> = info.passive_elements.iter().map(|(i, all)| (i.as_u32(), all.len())).collect();
        Self {
            interrupt: named(info, INTERRUPT, Type::I32, GlobalInit::I32Const(0)),
            reason: named(info, REASON, Type::I32, GlobalInit::I32Const(0)),
            room: named(info, ROOM, Type::I32, GlobalInit::I32Const(0)),
            fuel: fuel.then(|| named(info, FUEL, Type::I64, GlobalInit::I64Const(i64::MAX))),
            scratch: Scratch {
                start: word(info),
                second: word(info),
                length: word(info),
                function: reference(info, Type::FuncRef),
                external: reference(info, Type::ExternRef),
            },
            data: lengths(info, data),
            elements: lengths(info, elements),
            external: info.tables.values().map(|table| table.ty == Type::ExternRef).collect(),
            imported_functions: u32::try_from(info.num_imported_functions).unwrap_or(u32::MAX),
            bodies: bodies(info),
        }
    }
}

fn add(info: &mut ModuleInfo, ty: Type, init: GlobalInit) -> u32 {
    info.global_initializers.push(init);
    info.globals.push(GlobalType::new(ty, Mutability::Var)).as_u32()
}

fn named(info: &mut ModuleInfo, name: &str, ty: Type, init: GlobalInit) -> u32 {
    info.global_initializers.push(init);
    let index = info.globals.push(GlobalType::new(ty, Mutability::Var));
    info.exports.insert(name.to_owned(), ExportIndex::Global(index));
    index.as_u32()
}

fn lengths(info: &mut ModuleInfo, segments: Vec<(u32, usize)>) -> BTreeMap<u32, u32> {
    let length = |length| u32::try_from(length).unwrap_or(u32::MAX).cast_signed();
    let each = segments.into_iter();
    each.map(|(index, n)| (index, add(info, Type::I32, GlobalInit::I32Const(length(n))))).collect()
}

/// The block type `[] -> results` of each local function, where one exists without a type index.
fn bodies(info: &ModuleInfo) -> Vec<Option<BlockType>> {
    let local = info.functions.values().skip(info.num_imported_functions);
    local
        .map(|signature| match info.signatures.get(*signature)?.results() {
            [] => Some(BlockType::Empty),
            [one] => value_type(*one).map(BlockType::Type),
            _ => None,
        })
        .collect()
}

fn value_type(ty: Type) -> Option<ValType> {
    Some(match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        Type::V128 => ValType::V128,
        Type::FuncRef => ValType::FUNCREF,
        Type::ExternRef => ValType::EXTERNREF,
        Type::ExceptionRef => return None,
    })
}

/// Instruments one module; made anew for each.
#[derive(Debug)]
pub(super) struct Instrument {
    fuel: bool,
    module: OnceLock<Arc<Module>>,
}

impl Instrument {
    /// A middleware for one module.
    pub(super) fn new(fuel: bool) -> Self {
        Self { fuel, module: OnceLock::new() }
    }
}

impl ModuleMiddleware for Instrument {
    fn generate_function_middleware<'a>(
        &self,
        local_function_index: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        let index = usize::try_from(local_function_index.as_u32()).unwrap_or(usize::MAX);
        let checks = self.module.get().map(|module| {
            let around = module.bodies.get(index).copied().flatten();
            Checks::new(module.clone(), around)
        });
        Box::new(Function(checks))
    }

    fn transform_module_info(&self, info: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        if let Some(name) = info.exports.keys().find(|name| name.starts_with(PREFIX)) {
            return Err(refusal(&format!("the export name {name:?} is reserved")));
        }
        let module = Module::add_to(info, self.fuel);
        if let Some(start) = info.start_function.take() {
            info.exports.insert(START.to_owned(), ExportIndex::Function(start));
        }
        self.module.set(Arc::new(module)).map_err(|_| refusal("one middleware met two modules"))
    }
}

fn refusal(text: &str) -> MiddlewareError {
    MiddlewareError::new("forgeone", text)
}

/// The middleware of one function; `None` when wasmer did not show the module first: nothing is compiled unchecked.
#[derive(Debug)]
struct Function(Option<Checks>);

impl<'a> FunctionMiddleware<'a> for Function {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        let checks = self.0.as_mut().ok_or_else(|| refusal("a function came before its module"))?;
        checks.feed(operator, state);
        Ok(())
    }
}
