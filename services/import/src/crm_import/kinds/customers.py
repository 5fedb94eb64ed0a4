"""Customers: the fields of the customer module that a file may fill (A.3, T-1, D-12), with labels, options, usual
headers.
"""

from crm_import.kinds.kind import DerivedField, Field, Form, Kind, KindName
from crm_import.kinds.s0_file import PROFILE_FIELDS, S0_FILES
from directory.permissions import Permission

# The options at the beginning, for drop-downs of the template while customer cannot be asked for those of today.
INDUSTRIES = ("教育/培训", "电子商务", "对外贸易", "其他")
SOURCES = ("电话营销", "网络营销", "其他")
COMPANY_NATURES = ("合资", "国企", "事业单位", "民营", "其他")
ANNUAL_TURNOVERS = ("0-10万", "10-20万", "20-50万", "50万以上")
RATINGS = ("一星", "二星", "三星")
EMPLOYEE_COUNTS = ("5-20人", "20-50人", "50人以上")
CUSTOMER_TYPES = ("潜在客户", "重要客户", "目标对象")
FORMS = ("企业", "个人")
LEVELS = ("A级", "B级", "C级")
STAGES = ("初步接触", "需求确认", "方案报价", "商务谈判", "已成交")
INTENTIONS = ("高", "中", "低")
STATUSES = ("活跃", "沉睡", "流失")
SALUTATIONS = ("先生", "女士", "老师", "医生", "博士", "教授")
# fmt: off
PROVINCES = (
    "北京市", "天津市", "河北省", "山西省", "内蒙古自治区", "辽宁省", "吉林省", "黑龙江省", "上海市", "江苏省",
    "浙江省", "安徽省", "福建省", "江西省", "山东省", "河南省", "湖北省", "湖南省", "广东省", "广西壮族自治区",
    "海南省", "重庆市", "四川省", "贵州省", "云南省", "西藏自治区", "陕西省", "甘肃省", "青海省", "宁夏回族自治区",
    "新疆维吾尔自治区", "台湾省", "香港特别行政区", "澳门特别行政区",
)

# Those of the primary contact have `contact.` before their names.
FIELDS = (
    Field("name", "客户名称", "Customer name", (
        "客户名", "名称", "公司名称", "公司名", "公司", "公司全称", "企业名称", "企业名", "单位名称", "单位", "客户",
        "客户全称", "customer", "company", "company name", "account", "account name", "organization",
        "organisation")),
    Field("industry", "客户行业", "Industry", ("行业", "所属行业", "行业类别", "公司行业"), INDUSTRIES),
    Field("source", "客户信息来源", "Information source", (
        "信息来源", "来源", "客户来源", "渠道", "来源渠道", "source", "lead source"), SOURCES),
    Field("company_nature", "公司性质", "Company nature", (
        "性质", "企业性质", "单位性质", "客户性质", "ownership", "company type"), COMPANY_NATURES),
    Field("customer_type", "客户类型", "Customer type", ("类型", "客户分类", "type"), CUSTOMER_TYPES),
    Field("annual_turnover", "年营业额", "Annual turnover", (
        "营业额", "年销售额", "年产值", "年收入", "turnover", "annual revenue", "revenue"), ANNUAL_TURNOVERS),
    Field("employee_count", "员工数", "Number of employees", (
        "员工", "员工人数", "员工数量", "人数", "规模", "公司规模", "企业规模", "人员规模", "employees", "headcount",
        "company size"), EMPLOYEE_COUNTS),
    Field("rating", "评分", "Rating", ("星级", "客户星级", "评级", "客户评分", "stars"), RATINGS),
    Field("province", "省份", "Province", ("省", "所在省", "所在省份", "省市区", "state"), PROVINCES),
    Field("city", "城市", "City", ("市", "所在市", "所在城市", "地市")),
    Field("address_detail", "客户联系地址", "Address", (
        "地址", "联系地址", "详细地址", "公司地址", "客户地址", "企业地址", "通讯地址", "街道", "contact address",
        "street", "address line")),
    Field("postcode", "邮编", "Postcode", ("邮政编码", "邮政编号", "zip", "zip code", "postal code", "post code"),
        form=Form.DIGITS),
    Field("owner", "负责人", "Owner", (
        "客户负责人", "跟进人", "跟单人员", "业务员", "销售", "销售人员", "归属人", "所属人", "负责人姓名",
        "responsible person", "sales", "sales rep", "assigned to")),
    Field("kind", "客户形态", "Kind of customer", ("企业/个人",), FORMS),
    Field("level", "客户级别", "Customer level", ("客户等级",), LEVELS),
    Field("stage", "跟进阶段", "Follow-up stage", ("客户阶段", "销售阶段"), STAGES),
    Field("intention", "客户意向", "Intention", ("意向度", "意向程度", "意向级别"), INTENTIONS),
    Field("status", "客户状态", "Customer status", (), STATUSES),
    Field("wechat_nickname", "微信昵称", "WeChat nickname", ("微信名", "wechat name")),
    Field("tags", "标签", "Tags", ("客户标签",)),
    Field("remark", "备注", "Remark", ("客户备注", "说明", "备注信息", "描述", "notes", "note", "comment", "description")),
    Field("contact.name", "联系人姓名", "Contact name", (
        "联系人", "首要联系人", "主要联系人", "姓名", "联系人名称", "联络人", "contact", "contact person", "primary contact")),
    Field("contact.salutation", "称呼", "Salutation", ("尊称", "称谓", "title"), SALUTATIONS, suggests=True),
    Field("contact.position", "职位", "Position", ("职务", "岗位", "job title", "role")),
    Field("contact.mobile", "手机", "Mobile", (
        "手机号", "手机号码", "移动电话", "联系手机", "mobile phone", "mobile number", "cell", "cell phone", "cellphone"),
        form=Form.DIGITS),
    Field("contact.phone", "电话", "Phone", (
        "电话号码", "联系电话", "联系方式", "固定电话", "座机", "办公电话", "号码", "phone number", "tel", "telephone",
        "office phone"), form=Form.DIGITS),
    Field("contact.email", "邮箱", "E-mail", (
        "电子邮箱", "电子邮件", "邮件", "邮箱地址", "邮件地址", "email地址", "email", "mail", "email address")),
    Field("contact.qq", "QQ", "QQ", ("qq号", "qq号码"), form=Form.DIGITS),
    Field("contact.remark", "联系人备注", "Contact remark", ("首要联系人备注",)),
    Field("profile.aliases", "客户别名", "Aliases", (
        "别名", "简称", "公司简称", "客户简称", "企业简称", "曾用名", "又名", "alias", "short name", "also known as")),
    Field("profile.credit_code", "统一社会信用代码", "Unified social credit code", (
        "社会信用代码", "信用代码", "税号", "纳税人识别号", "credit code", "uscc", "tax number", "tax id")),
    Field("id", "ID", "ID", ("客户id", "客户编号", "编号", "customer id"), in_template=False),
    Field("owner_id", "负责人 ID", "Owner ID", ("负责人编号",), in_template=False),
    Field("deleted", "已删除", "Deleted", ("是否删除",), in_template=False),
    *PROFILE_FIELDS,
)
# fmt: on

CUSTOMERS = Kind(
    name=KindName.CUSTOMERS,
    fields=FIELDS,
    header_prefixes=(
        ("首要联系人|主要联系人|联系人|contact|primarycontact", "contact."),
        ("客户|公司|企业|customer|company|account", ""),
        ("客户|公司|企业|customer|company|account", "profile."),
    ),
    required=("name",),
    match_fields=("contact.mobile", "name", "id", "similar_name"),
    default_match_fields=("contact.mobile", "name"),
    derived={"similar_name": DerivedField("similar_name", "相似名称", "Similar name", of="name")},
    mobile="contact.mobile",
    phone="contact.phone",
    to_start=(Permission.CUSTOMER_CREATE,),
    to_update=(Permission.CUSTOMER_UPDATE,),
    to_undo=(Permission.CUSTOMER_DELETE,),
    settings=frozenset({"target_pool_id", "mobile_required"}),
    known_files=S0_FILES,
    asks=True,
    custom_fields=True,
)
