"""Members of the organisation (Q-18): the fields that a file of them may fill."""

from crm_import.kinds.kind import Field, Form, Kind, KindName
from directory.permissions import Permission

# fmt: off
FIELDS = (
    Field("login", "登录名", "Login", (
        "登录账号", "登陆名", "登陆账号", "账号", "帐号", "账户", "用户名", "用户账号", "工号", "员工编号", "员工号",
        "login name", "user name", "username", "user", "account", "account name", "employee id", "employee number",
        "staff id")),
    Field("name", "姓名", "Name", (
        "名字", "真实姓名", "显示名", "显示名称", "成员", "员工", "full name", "display name", "real name")),
    Field("email", "邮箱", "E-mail", (
        "电子邮箱", "电子邮件", "邮件", "邮箱地址", "邮件地址", "工作邮箱", "企业邮箱", "email地址", "email", "mail",
        "email address", "work email")),
    Field("phone", "手机", "Phone", (
        "手机号", "手机号码", "移动电话", "电话", "电话号码", "联系电话", "联系方式", "mobile", "mobile phone",
        "mobile number", "cell phone", "phone number", "tel", "telephone"), form=Form.DIGITS),
    Field("department", "部门", "Department", (
        "所属部门", "所在部门", "部门名称", "部门路径", "组织", "所属组织", "团队", "dept", "department name",
        "department path", "team", "org unit"), chosen_from="departments", suggests=True),
    Field("roles", "角色", "Roles", (
        "角色名称", "所属角色", "权限角色", "系统角色", "role", "role name"), chosen_from="roles", suggests=True),
    Field("language", "语言", "Language", ("界面语言", "系统语言", "语言偏好", "locale", "ui language"), (
        "中文", "English")),
)
# fmt: on

MEMBERS = Kind(
    name=KindName.MEMBERS,
    fields=FIELDS,
    header_prefixes=(("成员|员工|用户|职员|member|employee|user|staff", ""),),
    required=("login",),
    required_to_create=("name", "email", "department"),
    match_fields=("login",),
    default_match_fields=("login",),
    permissions=(Permission.ORGANISATION_MANAGE,),
)
