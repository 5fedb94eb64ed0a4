"""Every permission a role can grant, with its words. A route names one; a test finds each code used here."""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """Permission codes `<area>.<act>`."""

    ORGANISATION_MANAGE = "organisation.manage"
    AUDIT_READ = "audit.read"
    CUSTOMER_READ = "customer.read"
    CUSTOMER_CREATE = "customer.create"
    CUSTOMER_UPDATE = "customer.update"
    CUSTOMER_DELETE = "customer.delete"
    CUSTOMER_EXPORT = "customer.export"
    CUSTOMER_MERGE = "customer.merge"
    CUSTOMER_CONTACTS_IN_POOL = "customer.contacts_in_pool"
    CUSTOMER_CALLS = "customer.calls"
    CUSTOMER_CONFIGURE = "customer.configure"
    CUSTOMER_UNPROTECT = "customer.unprotect"
    POOL_CLAIM = "pool.claim"
    POOL_ASSIGN = "pool.assign"
    POOL_TRANSFER = "pool.transfer"
    POOL_RELEASE = "pool.release"
    POOL_MANAGE = "pool.manage"
    POOL_TO_BE_ASSIGNED = "pool.to_be_assigned"
    IMPORT_RUN = "import.run"
    IMPORT_READ_ALL = "import.read_all"
    NOTIFY_MAIL = "notify.mail"
    NOTIFY_ANNOUNCE = "notify.announce"
    NOTIFY_CONFIGURE = "notify.configure"


@dataclass(frozen=True)
class Words:
    """What a permission is called."""

    zh: str
    en: str


CATALOGUE: dict[Permission, Words] = {
    Permission.ORGANISATION_MANAGE: Words("管理组织、成员与角色", "Manage organisation, members and roles"),
    Permission.AUDIT_READ: Words("查看全公司的审计日志", "Read the audit log of the whole company"),
    Permission.CUSTOMER_READ: Words("查看客户", "Read customers"),
    Permission.CUSTOMER_CREATE: Words("新建客户", "Create customers"),
    Permission.CUSTOMER_UPDATE: Words("编辑客户", "Edit customers"),
    Permission.CUSTOMER_DELETE: Words("删除客户", "Delete customers"),
    Permission.CUSTOMER_EXPORT: Words("导出客户", "Export customers"),
    Permission.CUSTOMER_MERGE: Words("合并重复客户", "Merge duplicate customers"),
    Permission.CUSTOMER_CONTACTS_IN_POOL: Words("查看公海客户的联系方式", "See phones of customers in a pool"),
    Permission.CUSTOMER_CALLS: Words("查看来电总机", "See callers of the switchboard"),
    Permission.CUSTOMER_CONFIGURE: Words("设置字段、字典与标签", "Set up fields, dictionaries and tags"),
    Permission.CUSTOMER_UNPROTECT: Words("解锁客户、取消企微好友标记", "Unlock customers, take back WeCom friends"),
    Permission.POOL_CLAIM: Words("领取客户", "Claim customers"),
    Permission.POOL_ASSIGN: Words("分配客户", "Assign customers"),
    Permission.POOL_TRANSFER: Words("转移客户", "Transfer customers"),
    Permission.POOL_RELEASE: Words("放入客户池", "Put customers into a pool"),
    Permission.POOL_MANAGE: Words("管理客户池", "Manage pools"),
    Permission.POOL_TO_BE_ASSIGNED: Words("查看待分配客户池", "See to-be-assigned pools"),
    Permission.IMPORT_RUN: Words("导入客户", "Import customers"),
    Permission.IMPORT_READ_ALL: Words("查看所有人的导入任务", "See everybody's imports"),
    Permission.NOTIFY_MAIL: Words("向客户发送邮件与短信", "Send e-mails and SMS to customers"),
    Permission.NOTIFY_ANNOUNCE: Words("发布公告", "Announce"),
    Permission.NOTIFY_CONFIGURE: Words("设置通知、模板与群机器人", "Set up notifications, templates and robots"),
}


@dataclass(frozen=True)
class BuiltInRole:
    """A role every organisation has. `data_scope` as in directory.scope.DataScope; administrators may change grants."""

    key: str
    words: Words
    data_scope: int
    permissions: frozenset[Permission]


_SALES = frozenset(
    {
        Permission.CUSTOMER_READ,
        Permission.CUSTOMER_CREATE,
        Permission.CUSTOMER_UPDATE,
        Permission.CUSTOMER_DELETE,
        Permission.POOL_CLAIM,
        Permission.POOL_TRANSFER,
        Permission.POOL_RELEASE,
        Permission.IMPORT_RUN,
        Permission.NOTIFY_MAIL,
    }
)
_LEAD = _SALES | {
    Permission.CUSTOMER_EXPORT,
    Permission.CUSTOMER_MERGE,
    Permission.POOL_ASSIGN,
    Permission.POOL_TO_BE_ASSIGNED,
    Permission.CUSTOMER_CONTACTS_IN_POOL,
    Permission.CUSTOMER_CALLS,
}

# Defaults of the pool matrix (C.3): sales own records and claim only; supervisors and operations their department
# and below; administrators everything.
BUILT_IN_ROLES = (
    BuiltInRole("administrator", Words("企业管理员", "Administrator"), 4, frozenset(Permission)),
    BuiltInRole(
        "operations", Words("运营", "Operations"), 3, _LEAD | {Permission.POOL_MANAGE, Permission.NOTIFY_ANNOUNCE}
    ),
    BuiltInRole("supervisor", Words("销售主管", "Sales supervisor"), 3, _LEAD),
    BuiltInRole("sales", Words("销售", "Sales"), 1, _SALES),
)
