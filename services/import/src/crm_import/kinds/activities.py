"""Follow-up records (D-04): what a file tells of each (F.1, D-12, D-33). They are created alone, and match nothing."""

from crm_import.kinds.kind import Field, Form, Kind, KindName
from directory.permissions import Permission

# The options at the beginning, for the drop-down of the template while customer cannot be asked for those of today.
METHODS = ("电话", "邮件", "上门拜访", "短信", "活动")
# fmt: off
FIELDS = (
    Field("customer", "客户", "Customer", (
        "客户名称", "客户名", "客户全称", "所属客户", "公司", "公司名称", "公司名", "企业名称", "单位", "单位名称", "客户id",
        "客户编号", "客户手机", "客户手机号", "客户手机号码", "customer name", "customer id", "customer mobile", "company",
        "company name", "account", "account name")),
    Field("content", "跟进内容", "Content", (
        "跟进记录", "跟单内容", "沟通内容", "沟通记录", "拜访内容", "拜访记录", "记录内容", "跟进情况", "内容", "备注", "描述",
        "follow-up", "follow-up content", "details", "notes", "note", "description", "remark", "comment")),
    Field("method", "跟进方式", "Method", (
        "跟单方式", "沟通方式", "拜访方式", "跟进类型", "方式", "follow-up method", "contact method", "channel", "type"), METHODS,
        dictionary="follow_up_method"),
    Field("at", "跟进时间", "Follow-up time", (
        "跟进日期", "跟单日期", "跟单时间", "沟通时间", "沟通日期", "拜访时间", "拜访日期", "联系时间", "联系日期", "时间", "日期",
        "follow-up date", "contacted at", "date", "time"), form=Form.MOMENT),
    Field("member", "跟进人", "Follower", (
        "跟进人员", "跟进成员", "跟单人员", "跟单人", "记录人", "业务员", "销售", "销售人员", "member", "author", "sales",
        "sales rep", "recorded by")),
    Field("next_contact_on", "下次联系日期", "Next contact date", (
        "下次联系时间", "下次联系", "下次跟进时间", "下次跟进日期", "下次跟进", "下次跟单日期", "下次拜访时间", "下次回访时间",
        "next contact", "next contact time", "next follow-up", "next follow-up date"), form=Form.DAY),
)
# fmt: on

ACTIVITIES = Kind(
    name=KindName.ACTIVITIES,
    fields=FIELDS,
    header_prefixes=(("跟进|跟单|沟通|followup", ""),),
    required=("customer", "content"),
    match_fields=(),
    default_match_fields=(),
    to_start=(Permission.CUSTOMER_UPDATE,),
    to_undo=(Permission.CUSTOMER_UPDATE,),
)
