"""Contacts (D-03): the fields of their form that a file may fill (B.2, D-12), and the customer that each belongs to."""

from crm_import.kinds.kind import Field, Form, Kind, KindName
from directory.permissions import Permission

# The options at the beginning, for the drop-down of the template while customer cannot be asked for those of today.
CONTACT_GROUPS = ("决策人", "影响人", "使用人")
SALUTATIONS = ("先生", "女士", "老师", "医生", "博士", "教授")
YES_OR_NO = ("是", "否")
# fmt: off
FIELDS = (
    Field("customer", "所属客户", "Customer", (
        "客户", "客户名称", "客户名", "客户全称", "公司", "公司名称", "公司名", "公司全称", "企业名称", "单位", "单位名称",
        "所属公司", "所在公司", "所在单位", "工作单位", "客户id", "客户编号", "customer name", "customer id", "company",
        "company name", "account", "account name", "organization", "organisation", "employer")),
    Field("name", "联系人姓名", "Contact name", (
        "姓名", "联系人", "联系人名称", "联络人", "名字", "full name", "contact", "contact person")),
    Field("salutation", "尊称", "Title", ("称呼", "称谓", "salutation"), SALUTATIONS),
    Field("position", "职位", "Position", ("职务", "岗位", "头衔", "job title", "role")),
    Field("mobile", "手机", "Mobile", (
        "手机号", "手机号码", "移动电话", "联系手机", "mobile phone", "mobile number", "cell", "cell phone", "cellphone"),
        form=Form.DIGITS),
    Field("phone", "电话", "Phone", (
        "电话号码", "联系电话", "联系方式", "固定电话", "座机", "办公电话", "号码", "phone number", "tel", "telephone",
        "office phone", "work phone"), form=Form.DIGITS),
    Field("email", "邮箱", "E-mail", (
        "电子邮箱", "电子邮件", "邮件", "邮箱地址", "邮件地址", "email地址", "email", "mail", "email address")),
    Field("qq", "QQ", "QQ", ("qq号", "qq号码"), form=Form.DIGITS),
    Field("address", "联系地址", "Contact address", (
        "地址", "详细地址", "通讯地址", "通信地址", "邮寄地址", "住址", "address", "mailing address", "street")),
    Field("postcode", "邮编", "Postcode", ("邮政编码", "邮政编号", "zip", "zip code", "postal code", "post code"),
        form=Form.DIGITS),
    Field("birthday", "生日", "Birthday", ("出生日期", "出生年月", "date of birth", "birth date", "dob"), form=Form.DAY),
    Field("birthday_is_lunar", "农历生日", "Lunar birthday", (
        "农历", "是否农历", "是否农历生日", "按农历过生日", "阴历生日", "lunar", "is lunar"), YES_OR_NO, suggests=True),
    Field("contact_group", "联系人分组", "Contact group", ("分组", "联系人类型", "group"), CONTACT_GROUPS,
        dictionary="contact_group"),
    Field("owner", "负责人", "Owner", (
        "联系人负责人", "跟进人", "业务员", "销售", "销售人员", "归属人", "所属人", "负责人姓名", "responsible person",
        "sales", "sales rep", "assigned to")),
    Field("remark", "备注", "Remark", ("联系人备注", "说明", "备注信息", "描述", "notes", "note", "comment", "description")),
    Field("id", "ID", "ID", ("联系人id", "联系人编号", "编号", "contact id"), in_template=False),
)
# fmt: on

CONTACTS = Kind(
    name=KindName.CONTACTS,
    fields=FIELDS,
    header_prefixes=(("联系人|联络人|contact", ""),),
    required=(),
    required_to_create=("customer", "name"),
    match_fields=("mobile", "email", "name", "id"),
    default_match_fields=("mobile", "name"),
    match_within=dict.fromkeys(("mobile", "email", "name"), "customer"),
    mobile="mobile",
    phone="phone",
    to_start=(Permission.CUSTOMER_CREATE,),
    to_update=(Permission.CUSTOMER_UPDATE,),
    to_undo=(Permission.CUSTOMER_DELETE,),
    asks=True,
)
