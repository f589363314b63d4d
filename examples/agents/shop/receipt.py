"""What a customer takes home."""
import os
from shop.price import   gross

def line( name,cents ) :
    return '%-20s %8.2f' % (name , gross( cents, 20)/100)
