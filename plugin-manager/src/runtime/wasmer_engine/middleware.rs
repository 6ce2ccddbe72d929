//! Adds to each function of a module the checks that bound its time and its fuel; changes no result of a call
//! that ends within both.
//!
//! Three globals are added behind the module's own, which its code cannot name: `interrupt`, which the deadline
//! thread sets; `scratch`; and, when fuel is metered, `fuel`, what is left of it. A check is
//!
//! ```text
//! if interrupt goto trap; if fuel < 0 goto trap
//! ```
//!
//! Checks stand at the entry of each function, at each loop header, after each call of an import and before each
//! operator whose work depends on an operand (`memory.fill` and its kin), so that a call passes one after a bounded
//! amount of work. They branch to one trap at the function's end, so that nothing is jumped over on the good path.

use std::sync::OnceLock;
use wasmer::sys::wasmparser::{BlockType, Operator, ValType};
use wasmer::sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware};
use wasmer::{ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Type};

/// Part of the fingerprint: raised with every change of the code that is added.
pub(super) const VERSION: u32 = 1;
/// The private export names of what is added; a module that uses them itself is refused.
pub(super) const INTERRUPT: &str = "\u{1}forgeone.interrupt";
/// See [`INTERRUPT`].
pub(super) const FUEL: &str = "\u{1}forgeone.fuel";
/// The module's start function, which the host calls itself once the deadline can reach the instance.
pub(super) const START: &str = "\u{1}forgeone.start";
const SCRATCH: &str = "\u{1}forgeone.scratch";

/// Bytes of a bulk operation that cost one unit of fuel, as a power of two.
const BYTES_PER_FUEL: i64 = 6;
/// Elements of a table operation that cost one unit of fuel, as a power of two.
const ELEMENTS_PER_FUEL: i64 = 3;

/// The indices of the added globals in one module.
#[derive(Debug, Clone, Copy)]
struct Globals {
    interrupt: u32,
    scratch: u32,
    fuel: Option<u32>,
}

/// What the function middlewares need to know of their module.
#[derive(Debug)]
struct Module {
    globals: Globals,
    imported_functions: u32,
    /// For each local function the block that can stand around its body; `None` when it has several results.
    bodies: Vec<Option<BlockType>>,
}

/// Instruments one module; made anew for each.
#[derive(Debug)]
pub(super) struct Instrument {
    fuel: bool,
    module: OnceLock<Module>,
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
        Box::new(match self.module.get() {
            Some(module) => Body::Known(Checks {
                globals: module.globals,
                imported_functions: module.imported_functions,
                around: module.bodies.get(index).copied().flatten(),
                depth: 0,
                cost: 1,
                entered: false,
            }),
            None => Body::Unknown,
        })
    }

    fn transform_module_info(&self, info: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        if let Some(name) = info.exports.keys().find(|name| name.starts_with("\u{1}forgeone.")) {
            return Err(refusal(format!("the export name {name:?} is reserved")));
        }
        let interrupt = add_global(info, INTERRUPT, Type::I32, GlobalInit::I32Const(0));
        let scratch = add_global(info, SCRATCH, Type::I32, GlobalInit::I32Const(0));
        let fuel = self.fuel.then(|| add_global(info, FUEL, Type::I64, GlobalInit::I64Const(i64::MAX)));
        if let Some(start) = info.start_function.take() {
            info.exports.insert(START.to_owned(), ExportIndex::Function(start));
        }
        let module = Module {
            globals: Globals { interrupt, scratch, fuel },
            imported_functions: u32::try_from(info.num_imported_functions).unwrap_or(u32::MAX),
            bodies: bodies(info),
        };
        self.module.set(module).map_err(|_| refusal("one middleware met two modules".to_owned()))
    }
}

fn refusal(text: String) -> MiddlewareError {
    MiddlewareError::new("forgeone", text)
}

fn add_global(info: &mut ModuleInfo, name: &str, ty: Type, init: GlobalInit) -> u32 {
    let index = info.globals.push(GlobalType::new(ty, Mutability::Var));
    info.global_initializers.push(init);
    info.exports.insert(name.to_owned(), ExportIndex::Global(index));
    index.as_u32()
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

/// The middleware of one function.
#[derive(Debug)]
enum Body {
    Known(Checks),
    /// wasmer did not show the module first; nothing may be compiled unchecked.
    Unknown,
}

impl<'a> FunctionMiddleware<'a> for Body {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        match self {
            Self::Known(checks) => {
                checks.feed(operator, state);
                Ok(())
            }
            Self::Unknown => Err(refusal("a function came before its module".to_owned())),
        }
    }
}

#[derive(Debug)]
struct Checks {
    globals: Globals,
    imported_functions: u32,
    around: Option<BlockType>,
    /// Blocks of the body that are open.
    depth: u32,
    /// Fuel of the operators since the last charge.
    cost: i64,
    entered: bool,
}

impl Checks {
    fn feed<'a>(&mut self, operator: Operator<'a>, out: &mut MiddlewareReaderState<'a>) {
        if !self.entered {
            self.entered = true;
            self.enter(out);
        }
        self.charge_operator(&operator, out);
        match operator {
            Operator::Loop { .. } => {
                self.depth = self.depth.saturating_add(1);
                out.push_operator(operator);
                self.forget(out);
                self.check(out);
            }
            Operator::Block { .. } | Operator::If { .. } => {
                self.depth = self.depth.saturating_add(1);
                out.push_operator(operator);
            }
            Operator::End if self.depth == 0 => self.leave(operator, out),
            Operator::End => {
                self.depth = self.depth.saturating_sub(1);
                out.push_operator(operator);
            }
            Operator::Call { function_index } if function_index < self.imported_functions => {
                out.push_operator(operator);
                self.check(out);
            }
            other => {
                if let Some(shift) = bulk(&other) {
                    self.charge_length(shift, out);
                    self.check(out);
                }
                out.push_operator(other);
            }
        }
    }

    /// `block $trap; block $body`: a branch to the function's own label meets `$body`, as deep as before.
    fn enter(&mut self, out: &mut MiddlewareReaderState<'_>) {
        if let Some(blockty) = self.around {
            out.extend([Operator::Block { blockty: BlockType::Empty }, Operator::Block { blockty }]);
        }
        self.charge(out);
        self.check(out);
    }

    /// `end $body; return; end $trap; unreachable; end`.
    fn leave<'a>(&mut self, end: Operator<'a>, out: &mut MiddlewareReaderState<'a>) {
        if self.around.is_some() {
            out.extend([Operator::End, Operator::Return, Operator::End, Operator::Unreachable]);
        }
        out.push_operator(end);
    }

    /// Makes Cranelift load `interrupt` anew: between two loads without a store it takes the first for both, and a
    /// loop that stores nothing would read the flag once and never again.
    fn forget(&self, out: &mut MiddlewareReaderState<'_>) {
        out.extend([
            Operator::I32Const { value: 0 },
            Operator::GlobalSet { global_index: self.globals.scratch },
        ]);
    }

    fn check(&self, out: &mut MiddlewareReaderState<'_>) {
        out.push_operator(Operator::GlobalGet { global_index: self.globals.interrupt });
        self.trap_if(out);
        if let Some(global_index) = self.globals.fuel {
            out.extend([
                Operator::GlobalGet { global_index },
                Operator::I64Const { value: 0 },
                Operator::I64LtS,
            ]);
            self.trap_if(out);
        }
    }

    fn trap_if(&self, out: &mut MiddlewareReaderState<'_>) {
        match self.around {
            Some(_) => out.push_operator(Operator::BrIf { relative_depth: self.depth.saturating_add(1) }),
            None => {
                out.extend([Operator::If { blockty: BlockType::Empty }, Operator::Unreachable, Operator::End])
            }
        }
    }

    /// Adds the operator's cost, and takes what has gathered before control can go elsewhere.
    fn charge_operator(&mut self, operator: &Operator<'_>, out: &mut MiddlewareReaderState<'_>) {
        self.cost = self.cost.saturating_add(cost(operator));
        if ends_block(operator) {
            self.charge(out);
        }
    }

    fn charge(&mut self, out: &mut MiddlewareReaderState<'_>) {
        let value = std::mem::take(&mut self.cost);
        if let (Some(global_index), 1..) = (self.globals.fuel, value) {
            out.extend([
                Operator::GlobalGet { global_index },
                Operator::I64Const { value },
                Operator::I64Sub,
                Operator::GlobalSet { global_index },
            ]);
        }
    }

    /// Charges for the length on top of the stack, and leaves it there.
    fn charge_length(&mut self, shift: i64, out: &mut MiddlewareReaderState<'_>) {
        self.charge(out);
        let Some(fuel) = self.globals.fuel else { return };
        let scratch = self.globals.scratch;
        out.extend([
            Operator::GlobalSet { global_index: scratch },
            Operator::GlobalGet { global_index: fuel },
            Operator::GlobalGet { global_index: scratch },
            Operator::I64ExtendI32U,
            Operator::I64Const { value: shift },
            Operator::I64ShrU,
            Operator::I64Sub,
            Operator::GlobalSet { global_index: fuel },
            Operator::GlobalGet { global_index: scratch },
        ]);
    }
}

/// For an operator whose last operand is how much it works on: how many of them one unit of fuel pays, as a power of two.
fn bulk(operator: &Operator<'_>) -> Option<i64> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
            Some(BYTES_PER_FUEL)
        }
        Operator::TableFill { .. } | Operator::TableCopy { .. } | Operator::TableInit { .. } => {
            Some(ELEMENTS_PER_FUEL)
        }
        _ => None,
    }
}

/// As on wasmtime: what makes no code is free, the rest costs one.
fn cost(operator: &Operator<'_>) -> i64 {
    match operator {
        Operator::Nop
        | Operator::Drop
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Unreachable
        | Operator::Return
        | Operator::Else
        | Operator::End => 0,
        _ => 1,
    }
}

fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Unreachable
            | Operator::Return
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
    )
}
